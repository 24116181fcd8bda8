import type { MaybePromise } from "@breakwater/core";

import type { Link } from "../connection/link.ts";
import type { Scope } from "../keys.ts";
import type { CacheScripts } from "./scripts.ts";

/** Which entries of a name count. All are forgotten at once when it changes; they lie there until their time is over. */
export interface Generations {
  of(name: string): MaybePromise<string>;
  /** Begins a new one. */
  next(name: string): Promise<void>;
  /** Somebody else began one. */
  outdated(key: string): void;
  /** All may be: the next look asks Redis, if it is there. */
  suspect(): void;
}

interface Known {
  /** What others say when they begin a new one. */
  readonly key: string;
  value: string | undefined;
  at: number;
  /** Order is kept: who asks while it is changed is told what it is afterwards. */
  pending: Promise<string> | undefined;
}

export interface GenerationsOptions {
  readonly link: Link;
  readonly scope: Scope;
  readonly scripts: CacheScripts;
  /** Where a new generation is told. */
  readonly channel: string;
  /** For so long it is believed without asking again. What is told to everybody may be lost. */
  readonly trustMs: number;
}

/** Far longer than an answer is kept; each look begins it anew. */
const KEEP_MS = 90 * 86_400_000;

export function createGenerations({
  link,
  scope,
  scripts,
  channel,
  trustMs,
}: GenerationsOptions): Generations {
  const { runtime } = link;
  const names = new Map<string, Known>(); // a handful: names of policies

  function known(name: string): Known {
    let one = names.get(name);
    if (one === undefined) {
      one = { key: scope.key("cache", name), value: undefined, at: 0, pending: undefined };
      names.set(name, one);
    }
    return one;
  }

  function ask(one: Known, anew: boolean): Promise<string> {
    const asked = link
      .run(scripts.generation, [one.key], [KEEP_MS, anew ? 1 : 0, channel, `g${one.key}`])
      .then((value) => {
        if (one.pending === asked) {
          one.value = String(value);
          one.at = runtime.now();
        }
        return String(value);
      })
      .finally(() => {
        if (one.pending === asked) one.pending = undefined;
      });
    one.pending = asked;
    return asked;
  }

  return {
    of(name) {
      const one = known(name);
      if (one.pending !== undefined) return one.pending;
      if (one.value !== undefined && (runtime.now() - one.at < trustMs || !link.up)) return one.value;
      return ask(one, false);
    },
    async next(name) {
      const one = known(name);
      one.value = undefined;
      await ask(one, true);
    },
    outdated(key) {
      for (const one of names.values()) if (one.key === key) one.value = undefined;
    },
    suspect() {
      for (const one of names.values()) one.at = -Infinity;
    },
  };
}
