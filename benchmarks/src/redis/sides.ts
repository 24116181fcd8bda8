/** What is measured side by side over one Redis; every call is one admission by each of them. */
export interface RedisSide {
  readonly name: string;
  /** What the tables call it. */
  readonly label: string;
  /** Whether it is measured over a network with a round trip of a millisecond as well. */
  readonly far: boolean;
}

/** The first is what the others are measured by. */
export const REDIS_SIDES: readonly [RedisSide, ...RedisSide[]] = [
  { name: "gcra", label: "no library: one GCRA by EVALSHA", far: true },
  { name: "ping", label: "no library: PING", far: false },
  { name: "one", label: "Breakwater: rate limit", far: true },
  { name: "rate-limiter-flexible", label: "rate-limiter-flexible: limit", far: true },
  { name: "three", label: "Breakwater: breaker + limit + bulkhead", far: true },
  { name: "admission", label: "the same, admission by the store alone", far: true },
  { name: "split", label: "the same, each guard by itself", far: true },
  { name: "bottleneck", label: "bottleneck: limit and concurrency", far: false },
];

/** Calls under way at once. */
export const NEAR: readonly number[] = [1, 64, 512];
export const FAR: readonly number[] = [1, 64];

/** Accounts that the calls belong to, one after another; each has its own limit, and all have one breaker and bulkhead. */
export const ACCOUNTS = 64;
/** Wide enough that nobody is refused, also where nothing is given back, and slow enough that a bucket does not fill up again between two calls. */
export const LIMIT = 1_000_000;
export const PER_MS = 3_600_000;
export const CONCURRENCY = 1_000_000;

export const accountOf = (call: number): string => `account-${call % ACCOUNTS}`;
