import type { MaybePromise } from "../../handler.ts";
import type { Usage } from "../../outcome.ts";

/** Whose entry, and when. */
export interface CacheAsk {
  /** The cache's name. */
  readonly name: string;
  /**
   * Tenant and request, in one string that no other pair makes. It holds the request in the clear: a store outside of
   * this process keeps a digest of it and nothing else.
   */
  readonly key: string;
  /** Monotonic ms of the process; a store that is shared has a clock of its own. */
  readonly now: number;
}

/** A complete answer. Plain data, apart from `value`, which is whatever the upstream answers with. */
export interface CacheEntry {
  /** Never handed out itself, and never changed: readers get copies. */
  readonly value: unknown;
  /** Whether `value` is the list of a stream's items. */
  readonly stream: boolean;
  /** Where the items of a stream had their borders, if it is kept whole all the same; see `Codec.shapes`. Plain data. */
  readonly cuts?: unknown;
  readonly bytes: number;
  /** How long it is fresh, from the moment in which it was stored. */
  readonly freshMs: number;
  /** Who answered. */
  readonly model?: string;
  /** What the answer cost when it was made. */
  readonly usage?: Usage;
}

export interface CacheFound {
  readonly entry: CacheEntry;
  /** Time since it was stored, on the store's clock. */
  readonly ageMs: number;
}

/** Keeps answers. May lose any of them at any time; one that fails counts as a miss, with an event. */
export interface CacheStore {
  get(ask: CacheAsk): MaybePromise<CacheFound | undefined>;
  /** Keeps it for `keepMs`, which covers the time in which it is stale but still of use. Replaces an older one. */
  set(ask: CacheAsk, entry: CacheEntry, keepMs: number): MaybePromise<void>;
  delete(ask: CacheAsk): MaybePromise<void>;
  /** Forgets all entries of one name. */
  clear(name: string): MaybePromise<void>;
  /** What the store holds, all names together, where it can tell at once. */
  usage?(): CacheUsage;
}

export interface CacheUsage {
  readonly entries: number;
  readonly bytes: number;
}
