/** What the account may do. All processes say the same; Redis holds it for all of them together. */
export const LIMITS = {
  /** Calls in flight. */
  concurrency: 20,
  /** Calls a second. */
  perSecond: 30,
  /** Calls that may come at once: any second has `perSecond + burst` of them at most. */
  burst: 2,
} as const;

export const PROCESSES = 4;

/** How long the permits of a process that is gone are kept. The default is 15 s; a demonstration is shorter. */
export const LEASE_MS = 3_000;
