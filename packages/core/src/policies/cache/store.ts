import type { ClockName } from "../../errors.ts";
import type { MaybePromise } from "../../handler.ts";
import type { Failed, Usage } from "../../outcome.ts";

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
  /** Other processes keep their answers there as well. Then a cache needs a name, by which they find them. */
  readonly shared?: true;
  get(ask: CacheAsk): MaybePromise<CacheFound | undefined>;
  /**
   * Keeps it for `keepMs`, which covers the time in which it is stale but still of use. Replaces an older one.
   *
   * @returns `false` if it was not kept, and why is no news
   */
  set(ask: CacheAsk, entry: CacheEntry, keepMs: number): MaybePromise<boolean | void>;
  delete(ask: CacheAsk): MaybePromise<void>;
  /** Forgets all entries of one name. */
  clear(name: string): MaybePromise<void>;
  /** What the store holds, all names together, where it can tell at once. */
  usage?(): CacheUsage;
  /**
   * For a store that several processes share: who of them is to fetch an answer. One has the claim at a time, the
   * others wait for what comes of it; it is lost when its process is not heard of for a while. `undefined`: nobody can
   * say at the moment, and each fetches by itself.
   */
  claim?(ask: CacheClaimAsk): MaybePromise<CacheClaim | undefined>;
}

/** Which answer is to be fetched. */
export interface CacheClaimAsk extends CacheAsk {
  /** What was found, and is not good enough: any other entry is. */
  readonly instead: CacheFound | undefined;
  /** Nobody waits for it. Then a failure of somebody else that is not long ago is news as well: there is no hurry. */
  readonly refreshes: boolean;
}

export type CacheClaim = CacheHeld | CacheWaiting | CacheNews;

/** This process fetches. Exactly one of the four ends it. */
export interface CacheHeld {
  readonly status: "held";
  /** Keeps the answer, for those who wait as well. @returns whether it was kept: not if the claim was lost, or the entry deleted meanwhile */
  fill(entry: CacheEntry, keepMs: number): MaybePromise<boolean>;
  /** Those who wait come to the same. */
  fail(failure: CacheFailure): void;
  /** There is an answer, and it can be given to nobody else: those who wait fetch by themselves. */
  decline(): void;
  /** Nothing came of it: one of those who wait has the claim next. */
  release(): void;
}

/** Another process fetches. */
export interface CacheWaiting {
  readonly status: "waiting";
  /** Never rejects. */
  readonly end: Promise<CacheHeld | CacheNews>;
  /** Waits no more, and leaves nothing behind. A claim that comes all the same is to be released. */
  leave(): void;
}

/** What others have come to. */
export type CacheNews =
  | { readonly status: "found"; readonly found: CacheFound }
  | { readonly status: "failed"; readonly failure: CacheFailure }
  /** It is not for others, or nobody knows any more. */
  | { readonly status: "alone" };

/** A failure as it is told to other processes: plain data. */
export interface CacheFailure extends Omit<Failed, "status" | "error" | "meta"> {
  readonly error: CacheError;
}

/** What an error says. Not what the upstream wrote: that may be what somebody asked. */
export interface CacheError {
  readonly kind: "upstream" | "timed-out" | "other";
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly status?: number;
  readonly reason?: string;
  readonly traceId?: string;
  readonly clock?: ClockName;
  readonly ms?: number;
}

export interface CacheUsage {
  readonly entries: number;
  readonly bytes: number;
}
