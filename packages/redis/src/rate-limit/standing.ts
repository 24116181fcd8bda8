import type { RateStanding } from "@breakwater/core";

import type { Numbers } from "./numbers.ts";

/**
 * How a limit stands, by the values that its script replied with: what was reckoned with there is reckoned with here in
 * the same order, so that who comes again when he was told to is admitted.
 *
 * @param cost what is asked for; `undefined` once it was taken
 */
export function standingOf(
  numbers: Numbers,
  values: readonly unknown[],
  at: number,
  cost: number | undefined,
): RateStanding {
  return numbers.algorithm === "gcra"
    ? bucketStanding(numbers, Number(values[at]), values[at + 1] as number, cost)
    : windowStanding(numbers, values[at] as number, values[at + 1] as number, values[at + 2] as number, cost);
}

/** @param passed µs since the bucket was full */
export function bucketStanding(
  { limit, per, burst }: Pick<Numbers, "limit" | "per" | "burst">,
  taken: number,
  passed: number,
  cost: number | undefined,
): RateStanding {
  const left = Math.min(burst, burst - taken + (passed * limit) / per);
  const above = taken - Math.max(0, burst - (cost ?? 0));
  return {
    remaining: Math.floor(left + 1e-9), // a third three times is one
    retryAfterMs: cost === undefined ? 0 : msUntil(above, passed, limit, per),
    resetMs: msUntil(taken, passed, limit, per),
  };
}

function windowStanding(
  { limit }: Numbers,
  used: number,
  wait: number,
  full: number,
  cost: number | undefined,
): RateStanding {
  return {
    remaining: limit - used,
    retryAfterMs: cost === undefined ? 0 : Math.ceil(wait / 1_000),
    resetMs: Math.ceil(full / 1_000),
  };
}

/** The least whole number of ms after which `amount` has flowed back; exact, whatever the division rounds to. */
function msUntil(amount: number, passed: number, limit: number, per: number): number {
  if (amount * per <= passed * limit) return 0;
  const ms = Math.max(1, Math.ceil(((amount * per) / limit - passed) / 1_000));
  if (amount * per > (passed + ms * 1_000) * limit) return ms + 1;
  return ms > 1 && amount * per <= (passed + (ms - 1) * 1_000) * limit ? ms - 1 : ms;
}
