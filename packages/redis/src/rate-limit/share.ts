import type { RateRule, RateRules } from "@breakwater/core";

/** What a process may let pass by itself while Redis is away: limits split evenly among the processes. */
export function createShares(): (rules: RateRules, processes: number) => RateRules {
  const known = new WeakMap<RateRules, { readonly processes: number; readonly share: RateRules }>();
  return (rules, processes) => {
    const before = known.get(rules);
    if (before?.processes === processes) return before.share;
    const share = {
      ...(rules.requests !== undefined && { requests: shareOf(rules.requests, processes) }),
      ...(rules.tokens !== undefined && { tokens: shareOf(rules.tokens, processes) }),
    };
    known.set(rules, { processes, share });
    return share;
  };
}

/**
 * Always a token bucket, whose refill can be as slow as it needs to be: 3 a minute among 12 processes are one in four
 * minutes for each, not none. It holds at least one. So the sum of all shares is the limit in the long run, and what may
 * come at once is the burst, or one of each process where there are more processes than that.
 *
 * A window has no burst beside its limit, and a bucket lets its burst pass on top of its refill; so the share of a window
 * is spread out: a 16th of it at once, and the refill is less by as much.
 */
export function shareOf({ algorithm, limit, perMs, burst }: RateRule, processes: number): RateRule {
  if (algorithm === "gcra")
    return { algorithm, limit: limit / processes, perMs, burst: Math.max(1, burst / processes) };
  const share = limit / processes;
  const atOnce = Math.max(1, share / 16);
  return { algorithm: "gcra", limit: share < 2 ? share : share - atOnce, perMs, burst: atOnce };
}
