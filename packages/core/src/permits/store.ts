import type { MaybePromise } from "../handler.ts";
import type { DecisionStore, StoreAsk, StoreReply } from "../store.ts";

/** Asks for one permit. */
export interface PermitAsk extends StoreAsk {
  readonly kind: "permit";
  readonly name: string;
  readonly key: string;
  readonly limit: number;
}

export interface PermitReply extends StoreReply {
  readonly granted: boolean;
  /** How many permits of this key are out, this one included. */
  readonly active: number;
  /** Names the lease; absent where permits need no name. */
  readonly permit?: string;
}

/** Counts permits that are out. A permit is given back exactly once; one given back twice changes nothing. */
export interface PermitStore extends DecisionStore<PermitAsk, PermitReply> {
  release(ask: PermitAsk, reply: PermitReply): MaybePromise<void>;
  /** Permits out, by key; for `snapshot()`. */
  active(name: string): Readonly<Record<string, number>>;
  /**
   * Somebody waits for such a permit. For stores in which places become free unseen, because other processes hold them:
   * `wake` is called, never at once, each time that asking again may be worth it. Without it whoever waits asks again
   * when a permit comes back in this process.
   *
   * @returns what says that nobody waits any more
   */
  watch?(ask: PermitAsk, wake: () => void): () => void;
}

/** Knows by itself whether it was given back: a WeakSet of those that were would cost more than the whole decision. */
class Permit implements PermitReply {
  readonly granted = true;
  readonly active: number;
  #out = true;

  constructor(active: number) {
    this.active = active;
  }

  /** Whether it was still out. */
  giveBack(): boolean {
    const was = this.#out;
    this.#out = false;
    return was;
  }
}

/**
 * Permits in this process. Bounded by itself: only keys with permits out are kept.
 *
 * @example
 * ```ts
 * import { createMemoryPermitStore } from "@breakwater/core";
 *
 * const store = createMemoryPermitStore();
 * const ask = { kind: "permit", name: "b", key: "", limit: 1 } as const;
 * (await store.decide(ask)).granted; // => true
 * (await store.decide(ask)).granted; // => false
 * ```
 */
export function createMemoryPermitStore(): PermitStore {
  const names = new Map<string, Map<string, number>>();

  return {
    decide({ name, key, limit }) {
      let keys = names.get(name);
      if (keys === undefined) names.set(name, (keys = new Map()));
      const active = keys.get(key) ?? 0;
      if (active >= limit) return { granted: false, active };
      keys.set(key, active + 1);
      return new Permit(active + 1);
    },
    release({ name, key }, reply) {
      if (!(reply instanceof Permit) || !reply.giveBack()) return;
      const keys = names.get(name);
      const active = keys?.get(key) ?? 0;
      // The one key of those who use none stays: a map that is emptied and filled by each call is copied all the time.
      if (active > 1 || key === "") keys?.set(key, active - 1);
      else keys?.delete(key);
    },
    active: (name) => Object.fromEntries([...(names.get(name) ?? [])].filter(([, active]) => active > 0)),
  };
}
