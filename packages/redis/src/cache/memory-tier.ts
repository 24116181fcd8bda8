import { type CacheEntry, type CacheFound, createMemoryCacheStore, type Runtime } from "@breakwater/core";

import type { Opened } from "./envelope.ts";

/** Where an answer is looked for in this process: by its key as it is, since a digest of a long one takes its time. */
export interface Place {
  /** Name and generation. */
  readonly shelf: string;
  readonly key: string;
  /** What others call it. */
  readonly digest: string;
}

/** Answers that this process has had a moment ago, so that a popular one does not cross the network each time. */
export interface MemoryTier {
  get(shelf: string, key: string): CacheFound | undefined;
  /** To be called before Redis is asked. @returns what keeps the answer, unless it is invalidated meanwhile */
  watch(place: Place): (opened: Opened) => void;
  /** Which answer in Redis it is; 0: none that is known. */
  stampOf(found: CacheFound | undefined): number;
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

/** What is known of an entry. */
interface Origin {
  readonly stamp: number;
  readonly digest: string;
  /** When it was asked for, in invalidations. */
  readonly since: number;
}

/** Invalidations that are remembered one by one; if there are more in the time of an entry, all entries go. */
const MOST_DROPPED = 10_000;

export function createMemoryTier({ runtime, maxBytes, keepMs: atMost }: MemoryTierOptions): MemoryTier {
  const store = maxBytes > 0 && atMost > 0 ? createMemoryCacheStore({ maxBytes }) : undefined;
  const origins = new WeakMap<CacheEntry, Origin>();
  /** Invalidations so far. */
  let count = 0;
  let allDroppedAt = 0;
  // Which one was that of each digest, in the time that an entry may be older than. An entry is compared when it is
  // looked for: to find it by its digest would take an index as large as the memory.
  let young = new Map<string, number>();
  let old = new Map<string, number>();
  let begun = runtime.now();

  function valid({ digest, since }: Pick<Origin, "digest" | "since">): boolean {
    return since >= allDroppedAt && since >= (young.get(digest) ?? old.get(digest) ?? 0);
  }

  function dropAll(): void {
    allDroppedAt = ++count;
    young.clear();
    old.clear();
  }

  return {
    get(shelf, key) {
      const now = runtime.now();
      const found = store?.get({ name: shelf, key, now });
      if (found === undefined || valid(origins.get(found.entry) as Origin)) return found;
      store?.delete({ name: shelf, key, now });
      return undefined;
    },
    watch({ shelf, key, digest }) {
      const since = count;
      return ({ entry, ageMs, keepMs, stamp }) => {
        const origin = { stamp, digest, since };
        origins.set(entry, origin);
        // Only while it is fresh: whoever gives a stale answer wants to know whether there is a newer one.
        const leftMs = Math.min(atMost, entry.freshMs - ageMs, keepMs - ageMs);
        if (leftMs > 0 && valid(origin))
          store?.set({ name: shelf, key, now: runtime.now() - ageMs }, entry, ageMs + leftMs);
      };
    },
    stampOf: (found) => (found === undefined ? 0 : (origins.get(found.entry)?.stamp ?? 0)),
    drop(digest) {
      const now = runtime.now();
      if (now - begun >= atMost) {
        old = young;
        young = new Map();
        begun = now;
      }
      young.set(digest, ++count);
      if (young.size > MOST_DROPPED) dropAll();
    },
    dropAll,
  };
}
