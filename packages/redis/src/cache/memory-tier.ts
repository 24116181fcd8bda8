import { type CacheEntry, type CacheFound, createMemoryCacheStore, type Runtime } from "@breakwater/core";

import type { Opened } from "./envelope.ts";

/** Answers that this process has had a moment ago, so that a popular one does not cross the network each time. */
export interface MemoryTier {
  get(digest: string): CacheFound | undefined;
  /** To be given to `put`: what was invalidated since then is not kept. */
  readonly epoch: number;
  put(digest: string, opened: Opened, epoch: number): void;
  drop(digest: string): void;
  dropAll(): void;
}

export interface MemoryTierOptions {
  readonly runtime: Runtime;
  /** 0: nothing is kept. */
  readonly maxBytes: number;
  /** How long an entry is kept at most: a message that it was invalidated may be lost. */
  readonly keepMs: number;
}

export function createMemoryTier({ runtime, maxBytes, keepMs: atMost }: MemoryTierOptions): MemoryTier {
  const store = maxBytes > 0 && atMost > 0 ? createMemoryCacheStore({ maxBytes }) : undefined;
  let epoch = 0;
  const ask = (digest: string, now: number) => ({ name: "", key: digest, now });

  return {
    get: (digest) => store?.get(ask(digest, runtime.now())),
    get epoch() {
      return epoch;
    },
    put(digest, { entry, ageMs, keepMs }, since) {
      if (since !== epoch) return;
      // Only while it is fresh: whoever gives a stale answer wants to know whether there is a newer one.
      const leftMs = Math.min(atMost, entry.freshMs - ageMs, keepMs - ageMs);
      if (leftMs > 0) store?.set(ask(digest, runtime.now() - ageMs), entry, ageMs + leftMs);
    },
    drop(digest) {
      epoch++;
      store?.delete(ask(digest, 0));
    },
    dropAll() {
      epoch++;
      store?.clear("");
    },
  };
}

/** Which answer in Redis an entry was read from, or written to. */
export interface Stamps {
  of(found: CacheFound | undefined): number;
  keep(entry: CacheEntry, stamp: number): void;
}

export function createStamps(): Stamps {
  const stamps = new WeakMap<CacheEntry, number>();
  return {
    of: (found) => (found === undefined ? 0 : (stamps.get(found.entry) ?? 0)),
    keep: (entry, stamp) => void stamps.set(entry, stamp),
  };
}
