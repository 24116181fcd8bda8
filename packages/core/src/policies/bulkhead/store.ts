import type { MaybePromise } from "../../handler.ts";
import type { DecisionStore } from "../../store.ts";

/** Asks for one permit. */
export interface PermitAsk {
  readonly kind: "permit";
  readonly name: string;
  readonly key: string;
  readonly limit: number;
}

export interface PermitReply {
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
}

/**
 * Permits in this process. Bounded by itself: only keys with permits out are kept.
 *
 * @example
 * import { createMemoryPermitStore } from "@breakwater/core";
 *
 * const store = createMemoryPermitStore();
 * await store.decide({ kind: "permit", name: "b", key: "", limit: 1 }) // => { granted: true, active: 1 }
 * await store.decide({ kind: "permit", name: "b", key: "", limit: 1 }) // => { granted: false, active: 1 }
 */
export function createMemoryPermitStore(): PermitStore {
  const names = new Map<string, Map<string, number>>();
  const released = new WeakSet<PermitReply>();

  return {
    decide({ name, key, limit }) {
      let keys = names.get(name);
      if (keys === undefined) names.set(name, (keys = new Map()));
      const active = keys.get(key) ?? 0;
      if (active >= limit) return { granted: false, active };
      keys.set(key, active + 1);
      return { granted: true, active: active + 1 };
    },
    release({ name, key }, reply) {
      if (!reply.granted || released.has(reply)) return;
      released.add(reply);
      const keys = names.get(name);
      const active = keys?.get(key) ?? 0;
      if (active > 1) keys?.set(key, active - 1);
      else keys?.delete(key);
    },
    active: (name) => Object.fromEntries(names.get(name) ?? []),
  };
}
