import type { ConfigMismatch, MaybePromise } from "@breakwater/core";

/** What numbers of one kind of policy are, when processes differ about them. */
export interface Terms<C> {
  readonly kind: "rate-limit" | "permit" | "breaker" | "budget";
  /** Whether what another process says is numbers of this kind: it may be of another release, or damaged. */
  fits(config: unknown): config is C;
  /** What holds of two that differ. Each process works it out by itself, with all of them in the same order. */
  lower(a: C, b: C): C;
  /** As it is told. */
  show(config: C): Readonly<Record<string, unknown>>;
}

/** What processes that give one policy different numbers agree upon. */
export interface Agreed<C> {
  /** The same object until something changes; the one that was given first, as long as everybody gives the same numbers. */
  readonly config: C;
  /** Told to one decision after each change. */
  readonly mismatch?: ConfigMismatch;
}

/**
 * Agrees with the other processes on the numbers of a policy: of those that were `update()`d most often the lowest hold.
 * Who has come, gone or changed is known at the next heartbeat.
 */
export interface Agreement {
  /**
   * The first time for a name, and only then, what the others say is waited for: at most as long as Redis is given to
   * answer. Never rejects; while Redis is away what is known holds, and at first one's own numbers.
   *
   * @param config plain data or a number; give the same object again while it has not changed
   * @param version as in the ask; `undefined` is not compared, and comes back at once
   */
  on<C>(terms: Terms<C>, name: string, config: C, version: number | undefined): MaybePromise<Agreed<C>>;
}
