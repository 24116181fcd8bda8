import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { Bucket, type Rate } from "./gcra.ts";

const rate = fc.record({
  limit: fc.integer({ min: 1, max: 1_000 }),
  perMs: fc.oneof(fc.integer({ min: 1, max: 100_000 }), fc.double({ min: 0.01, max: 1_000, noNaN: true })),
  burst: fc.integer({ min: 1, max: 1_000 }),
});

/** Spans between events, as shares of `perMs`: many at once, many in the middle of things, some after all is over. */
const span = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.double({ min: 0, max: 0.1, noNaN: true }) },
  { weight: 1, arbitrary: fc.double({ min: 0, max: 3, noNaN: true }) },
);

const start = fc.double({ min: 0, max: 1e9, noNaN: true });

interface Admission {
  readonly at: number;
  readonly cost: number;
}

/** The most that any span of `perMs` holds, both of its ends included. */
function mostInAnySpan(admissions: readonly Admission[], perMs: number): number {
  let most = 0;
  for (const [i, first] of admissions.entries()) {
    let sum = 0;
    for (const { at, cost } of admissions.slice(i)) if (at - first.at <= perMs) sum += cost;
    most = Math.max(most, sum);
  }
  return most;
}

describe("a token bucket", () => {
  it("never lets more than limit and burst pass in any span of its length", () => {
    const asks = fc.array(fc.record({ span, cost: fc.integer({ min: 1, max: 1_000 }) }), { maxLength: 150 });
    fc.assert(
      fc.property(rate, start, asks, (given, from, steps) => {
        let now = from;
        const bucket = new Bucket(given, now);
        const admissions: Admission[] = [];
        for (const step of steps) {
          now += step.span * given.perMs;
          const cost = 1 + (step.cost % given.burst);
          if (bucket.allowedAt(cost) > now) continue;
          bucket.take(cost, now);
          admissions.push({ at: now, cost });
        }
        expect(mostInAnySpan(admissions, given.perMs)).toBeLessThanOrEqual(given.limit + given.burst);
      }),
    );
  });

  it("lets as much pass as it may: the whole burst at once, and then the limit in each span", () => {
    fc.assert(
      fc.property(rate, start, (given, from) => {
        const bucket = new Bucket(given, from);
        for (let i = 0; i < given.burst; i++) {
          expect(bucket.allowedAt(1)).toBeLessThanOrEqual(from);
          bucket.take(1, from);
        }
        for (let i = 1; i <= given.limit; i++) {
          const at = bucket.allowedAt(1);
          expect(at - from).toBeCloseTo((i * given.perMs) / given.limit, 3);
          bucket.take(1, at);
        }
      }),
      { numRuns: 30 },
    );
  });

  const event = fc.record({
    span,
    what: fc.constantFrom("take", "take", "take", "give back", "change"),
    amount: fc.integer({ min: 0, max: 300 }),
    rate,
  });

  it("holds what a bucket of numbers that are added up holds, whatever is taken, given back and changed", () => {
    fc.assert(
      fc.property(rate, start, fc.array(event, { maxLength: 60 }), (initial, from, events) => {
        let given: Rate = initial;
        let now = from;
        const bucket = new Bucket(given, now);
        let level = given.burst;
        let lastFull = now;
        const taken: Admission[] = [];
        for (const { span: share, what, amount, rate: next } of events) {
          const ms = share * given.perMs;
          now += ms;
          level = Math.min(given.burst, level + (ms * given.limit) / given.perMs);
          const near = given.burst * 1e-6 + (1e-6 * given.limit) / given.perMs;
          // Full to within a rounding is where model and bucket may differ: leave it to the bound above.
          fc.pre(level >= given.burst ? bucket.fullAt() <= now : level < given.burst - near);
          if (level >= given.burst) lastFull = now;
          if (what === "take") {
            bucket.take(amount, now);
            level -= amount;
            taken.push({ at: now, cost: amount });
          } else if (what === "change") {
            bucket.configure(next, now);
            given = next;
            level = Math.min(level, given.burst);
          } else {
            const reserved = taken.pop();
            if (reserved === undefined) continue;
            bucket.giveBack(reserved.cost, reserved.at, now);
            if (reserved.at >= lastFull) level += reserved.cost;
            if (level >= given.burst) [level, lastFull] = [given.burst, now];
          }
          const off = Math.abs(bucket.available(now) - level);
          expect(off).toBeLessThanOrEqual(
            1e-6 * (given.burst + Math.abs(level)) + (1e-5 * given.limit) / given.perMs,
          );
        }
      }),
    );
  });

  it("settled in the end is as if what was used had been taken from the start, if it was not full in between", () => {
    const more = fc.array(
      fc.record({ span: fc.double({ min: 0, max: 0.01, noNaN: true }), cost: fc.nat(20) }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(
        start,
        fc.integer({ min: 100, max: 1_000 }),
        fc.nat(1_000),
        fc.nat(1_000),
        more,
        (from, burst, reserved, used, others) => {
          const given = { limit: 100, perMs: 60_000, burst };
          const settled = new Bucket(given, from);
          const exact = new Bucket(given, from);
          let now = from;
          settled.take(reserved, now);
          exact.take(used, now);
          let wasFull = false;
          for (const { span: share, cost } of others) {
            now += share * given.perMs;
            wasFull ||= settled.fullAt() <= now || exact.fullAt() <= now;
            settled.take(cost, now);
            exact.take(cost, now);
          }
          wasFull ||= settled.fullAt() <= now || exact.fullAt() <= now;
          fc.pre(!wasFull);
          if (used > reserved) settled.take(used - reserved, now);
          else settled.giveBack(reserved - used, from, now);
          expect(settled.available(now)).toBeCloseTo(exact.available(now), 6);
        },
      ),
    );
  });
});
