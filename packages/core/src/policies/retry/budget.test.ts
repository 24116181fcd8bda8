import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createRetryBudget } from "./budget.ts";

const step = fc.record({
  ms: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 5_000, noNaN: true })),
  what: fc.constantFrom("call", "call", "take", "take", "take", "fail", "answer"),
  times: fc.integer({ min: 1, max: 60 }),
});

describe("the retry budget", () => {
  it("trap 54: a share of the calls is a share, whatever one divided by it is", () => {
    for (const [ratio, retries] of [
      [0.3, 30],
      [0.7, 70],
      [1.5, 150],
    ] as const) {
      const budget = createRetryBudget({ perSecond: 0, ratio });
      for (let i = 0; i < 100; i++) budget.onCall(i);
      expect(budget.available(100)).toBeGreaterThanOrEqual(retries - 1);
      expect(budget.available(100)).toBeLessThanOrEqual(retries);
    }
  });

  it("never gives more retries than it promises: so many a second, a share of the calls, and ten seconds saved", () => {
    const options = fc.record({
      perSecond: fc.integer({ min: 0, max: 20 }),
      ratio: fc.double({ min: 0, max: 2, noNaN: true }),
      minRatio: fc.double({ min: 0, max: 2, noNaN: true }),
    });
    fc.assert(
      fc.property(options, fc.nat(1e6), fc.array(step, { maxLength: 80 }), (given, startedAt, steps) => {
        const budget = createRetryBudget(given);
        let now = startedAt;
        let calls = 0;
        let taken = 0;
        for (const { ms, what, times } of steps) {
          now += ms;
          for (let i = 0; i < times; i++) {
            if (what === "call") {
              budget.onCall(now);
              calls++;
            } else if (what === "take") {
              const before = budget.available(now);
              const given1 = budget.take(now);
              expect(given1).toBe(before >= 1);
              if (given1) taken++;
              expect(budget.available(now)).toBe(given1 ? before - 1 : before);
            } else budget.onAttempt(what === "fail", now);
          }
          const promised = given.perSecond * (10 + (now - startedAt) / 1_000) + given.ratio * calls;
          expect(taken).toBeLessThanOrEqual(promised + 1e-6);
          expect(budget.available(now)).toBeGreaterThanOrEqual(0);
          expect(budget.ratio).toBeGreaterThanOrEqual(Math.min(given.minRatio, given.ratio));
          expect(budget.ratio).toBeLessThanOrEqual(given.ratio);
        }
      }),
    );
  });

  it("begins with a second's worth whenever it begins, and with what it is told to", () => {
    for (const at of [0, 1_000.5, 3_600_000]) {
      expect(createRetryBudget({ perSecond: 7 }).available(at)).toBe(7);
      const told = createRetryBudget({ perSecond: 7, minRatio: 0.5 }, { tokens: 0, ratio: 0.2 });
      expect(told.available(at)).toBe(0);
      expect(told.ratio).toBe(0.5);
    }
  });

  it("keeps what it saved and how far it has narrowed when it is given other numbers", () => {
    const budget = createRetryBudget({ perSecond: 8, ratio: 1, minRatio: 0 }, { ratio: 0.25 });
    budget.configure({ perSecond: 2, ratio: 2, minRatio: 0 });
    expect(budget.available(0)).toBe(8);
    expect(budget.ratio).toBe(0.5);
    expect(budget.available(3_600_000)).toBe(20);
    budget.configure({ perSecond: 2, ratio: 0, minRatio: 0 });
    expect(budget.ratio).toBe(0);
    budget.configure({ perSecond: 2, ratio: 1, minRatio: 0 });
    expect(budget.ratio).toBe(1);
  });

  it("narrows while failures rise with our own load, and widens again when it is quiet", () => {
    const budget = createRetryBudget({ perSecond: 1, ratio: 1, minRatio: 0.1 });
    const period = (startsAt: number, calls: number, failing: number): void => {
      for (let i = 0; i < calls; i++) {
        const now = startsAt + (i / calls) * 9_000;
        budget.onCall(now);
        budget.onAttempt(i / calls < failing, now);
      }
    };
    period(0, 100, 0);
    period(10_000, 200, 0.3);
    period(20_000, 400, 0.6);
    budget.available(30_000);
    expect(budget.ratio).toBe(0.25);
    for (let at = 30_000; at < 130_000; at += 10_000) period(at, 100, 0);
    expect(budget.ratio).toBe(1);
  });
});
