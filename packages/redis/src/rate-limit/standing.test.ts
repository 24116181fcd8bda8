import fc from "fast-check";
import { expect, test } from "vitest";

import { bucketStanding } from "./standing.ts";

const numbers = fc.record({
  algorithm: fc.constant("gcra" as const),
  limit: fc.integer({ min: 1, max: 1_000_000 }),
  per: fc.integer({ min: 1, max: 86_400_000_000 }),
  burst: fc.integer({ min: 1, max: 1_000_000 }),
});

test("who comes again when he was told to is admitted, and not a ms earlier", () => {
  fc.assert(
    fc.property(
      numbers,
      fc.nat(2_000_000),
      fc.nat(10_000_000_000),
      fc.nat(1_500_000),
      (given, taken, passed, cost) => {
        const { retryAfterMs: ms } = bucketStanding(given, taken, passed, cost);
        expect(Number.isSafeInteger(ms)).toBe(true);
        const then = (after: number): number =>
          bucketStanding(given, taken, passed + after * 1_000, cost).retryAfterMs;
        expect(then(ms)).toBe(0);
        if (ms > 0) expect(then(ms - 1)).toBe(1);
      },
    ),
    { seed: 7, numRuns: 2_000 },
  );
});

test("all of it is there when that was said", () => {
  fc.assert(
    fc.property(numbers, fc.nat(2_000_000), fc.nat(10_000_000_000), (given, taken, passed) => {
      const { resetMs } = bucketStanding(given, taken, passed, undefined);
      expect(bucketStanding(given, taken, passed + resetMs * 1_000, undefined)).toEqual({
        remaining: given.burst,
        retryAfterMs: 0,
        resetMs: 0,
      });
    }),
    { seed: 8, numRuns: 2_000 },
  );
});
