import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { ceiling, fullJitter } from "./backoff.ts";

const backoff = fc
  .record({
    baseDelayMs: fc.double({ min: 0, max: 1e7, noNaN: true }),
    maxDelayMs: fc.double({ min: 0, max: 1e7, noNaN: true }),
    factor: fc.double({ min: 1, max: 100, noNaN: true }),
  })
  .map(({ maxDelayMs, ...rest }) => ({ ...rest, maxDelayMs: Math.max(maxDelayMs, rest.baseDelayMs) }));

describe("backoff", () => {
  it("trap 46: is a number from 0 to the longest wait, for 5000 attempts and any options", () => {
    fc.assert(
      fc.property(
        backoff,
        fc.integer({ min: 1, max: 5_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (options, attempt, random) => {
          const ms = fullJitter(options, attempt, random);
          expect(Number.isFinite(ms)).toBe(true);
          expect(ms).toBeGreaterThanOrEqual(0);
          expect(ms).toBeLessThanOrEqual(options.maxDelayMs);
          expect(ms).toBeLessThanOrEqual(ceiling(options, attempt));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("trap 47: grows by the factor from the base, and never shrinks", () => {
    const options = { baseDelayMs: 100, maxDelayMs: 1_000, factor: 2 };
    expect([2, 3, 4, 5, 6, 7].map((attempt) => ceiling(options, attempt))).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
    fc.assert(
      fc.property(backoff, fc.integer({ min: 2, max: 4_999 }), (any, attempt) => {
        expect(ceiling(any, attempt + 1)).toBeGreaterThanOrEqual(ceiling(any, attempt));
      }),
    );
  });
});
