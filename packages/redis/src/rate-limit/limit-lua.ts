/** How one limit is decided in Lua, and what its reply means. A token bucket and a window are one each. */
export interface LimitLua {
  /** Arguments that it reads, beginning with the limit and the µs that it is for. */
  readonly args: number;
  readonly values: number;
  check(at: LimitPlace): string;
  take(at: LimitPlace): string;
  reply(at: LimitPlace): string;
}

/** Where one limit stands in a script. */
interface LimitPlace {
  /** `KEYS[1]`. */
  readonly key: string;
  /** Number of its first argument. */
  readonly arg: number;
  /** Suffix of its locals. */
  readonly id: string;
}

/**
 * `SET` with the moment at which nothing is lost when the state is: absolute, since `PX` counts from when the command
 * began, which is before the script has read the clock. A ms is added, for expiry goes by whole ones.
 *
 * @param until an expression in µs; kept within what Redis takes for a time
 */
export function setUntil(key: string, state: string, until: string): string {
  return `local till = (${until}) / 1000
if till > 4e15 then till = 4e15 end
redis.call('SET', ${key}, ${state}, 'PXAT', till - till % 1 + 1)`;
}

/** Bytes of the state of a token bucket. A window has 32 and 24 for each of its entries, which are never 40. */
export const BUCKET_BYTES = 40;
