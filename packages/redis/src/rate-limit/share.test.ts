import { createMemoryRateLimitStore, type RateLimitReply, type RateRule } from "@breakwater/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { createShares, shareOf } from "./share.ts";

const MINUTE = 60_000;

/** What one process lets pass in so long, asking at each ms for one. */
function passes(rule: RateRule, ms: number, stepMs: number): number {
  const store = createMemoryRateLimitStore();
  const ask = {
    kind: "rate-limit",
    name: "share",
    key: "",
    limits: { requests: rule },
    cost: { requests: rule.burst, tokens: 0 },
  } as const;
  void store.decide({ ...ask, now: 0 }); // begins with nothing
  let admissions = 0;
  for (let now = 0; now < ms; now += stepMs) {
    const reply = store.decide({ ...ask, cost: { requests: 1, tokens: 0 }, now }) as RateLimitReply;
    if (reply.admitted) admissions++;
  }
  return admissions;
}

describe("a process's share of a limit", () => {
  test("of all of it is the bucket itself, if there is but one process", () => {
    const rule: RateRule = { algorithm: "gcra", limit: 100, perMs: MINUTE, burst: 20 };
    expect(shareOf(rule, 1)).toEqual(rule);
  });

  test.each([
    { limit: 120, processes: 4, each: 30 },
    { limit: 60, processes: 60, each: 1 },
  ])("of $limit a minute among $processes is $each", ({ limit, processes, each }) => {
    const share = shareOf({ algorithm: "gcra", limit, perMs: MINUTE, burst: limit }, processes);
    expect(passes(share, 10 * MINUTE + 1, 50)).toBe(10 * each);
  });

  test("is slower where there are more processes than there may be requests, and not nothing", () => {
    const share = shareOf({ algorithm: "gcra", limit: 3, perMs: MINUTE, burst: 3 }, 12);
    expect(share.burst).toBe(1);
    expect(passes(share, 60 * MINUTE + 1, 1_000)).toBe(15); // one in four minutes
  });

  test("of a window is spread out, and all shares together never pass more than the window", () => {
    const rule = fc.record({
      limit: fc.integer({ min: 2, max: 400 }),
      processes: fc.integer({ min: 1, max: 20 }),
    });
    fc.assert(
      fc.property(rule, ({ limit, processes }) => {
        const share = shareOf({ algorithm: "window", limit, perMs: MINUTE, burst: limit }, processes);
        expect(share.algorithm).toBe("gcra");
        expect(share.limit).toBeGreaterThan(0);
        expect(share.burst).toBeGreaterThanOrEqual(1);
        // A token bucket lets limit and burst pass in a span of its own.
        if (limit / processes >= 2) expect(share.limit + share.burst).toBeCloseTo(limit / processes, 9);
      }),
      { seed: 5 },
    );
  });

  test("is worked out once for as many processes", () => {
    const shares = createShares();
    const rules = { tokens: { algorithm: "gcra", limit: 10, perMs: MINUTE, burst: 10 } } as const;
    const three = shares(rules, 3);
    expect(shares(rules, 3)).toBe(three);
    expect(shares(rules, 2).tokens?.limit).toBe(5);
    expect("requests" in three).toBe(false);
  });
});
