import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { SlidingWindow } from "./window.ts";

const rate = fc.record({
  limit: fc.integer({ min: 1, max: 500 }),
  perMs: fc.oneof(fc.integer({ min: 1, max: 100_000 }), fc.double({ min: 0.01, max: 1_000, noNaN: true })),
});

const span = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.double({ min: 0, max: 0.05, noNaN: true }) },
  { weight: 1, arbitrary: fc.double({ min: 0, max: 1.5, noNaN: true }) },
);

const start = fc.double({ min: 0, max: 1e9, noNaN: true });

interface Taken {
  readonly at: number;
  cost: number;
}

describe("a sliding window", () => {
  const asks = fc.array(fc.record({ span, cost: fc.integer({ min: 1, max: 500 }) }), { maxLength: 200 });

  it("never lets more than the limit pass in any span of its length, and refuses nothing that would fit into a 64th more", () => {
    fc.assert(
      fc.property(rate, start, asks, ({ limit, perMs }, from, steps) => {
        let now = from;
        const window = new SlidingWindow({ limit, perMs }, now);
        const log: Taken[] = [];
        const within = (ms: number): number =>
          log.reduce((sum, { at, cost }) => (now < at + ms ? sum + cost : sum), 0);
        for (const step of steps) {
          now += step.span * perMs;
          const cost = 1 + (step.cost % limit);
          if (window.allowedAt(cost, now) <= now) {
            window.take(cost, now);
            log.push({ at: now, cost });
            expect(within(perMs)).toBeLessThanOrEqual(limit);
          } else expect(within(perMs * (1 + 1 / 64) + 1e-6) + cost).toBeGreaterThan(limit);
        }
      }),
    );
  });

  it("says when to come again: then it is allowed, and just before it is not", () => {
    fc.assert(
      fc.property(rate, start, asks, ({ limit, perMs }, from, steps) => {
        let now = from;
        const window = new SlidingWindow({ limit, perMs }, now);
        const log: Taken[] = [];
        for (const step of steps) {
          now += step.span * perMs;
          const cost = 1 + (step.cost % Math.ceil(limit / 5));
          const at = window.allowedAt(cost, now);
          if (at > now) {
            // Half of the way is always too early, and the way is never further than the window is long.
            const halfway = now + (at - now) / 2;
            if (halfway < at) expect(window.allowedAt(cost, halfway)).toBe(at);
            expect(at - now).toBeLessThanOrEqual(perMs + 1e-6);
            now = at;
          }
          expect(window.allowedAt(cost, now)).toBeLessThanOrEqual(now);
          window.take(cost, now);
          log.push({ at: now, cost });
          // Who always comes at the first possible moment finds every crack.
          const sum = log.reduce((all, taken) => (now < taken.at + perMs ? all + taken.cost : all), 0);
          expect(sum).toBeLessThanOrEqual(limit);
        }
      }),
    );
  });

  it("gives back what is in the window still, each once, and is never fuller or emptier than what was taken", () => {
    const event = fc.record({
      span,
      cost: fc.nat(50),
      back: fc.option(fc.record({ which: fc.nat(100), share: fc.double({ min: 0, max: 1, noNaN: true }) })),
    });
    fc.assert(
      fc.property(rate, start, fc.array(event, { maxLength: 150 }), (given, from, events) => {
        let now = from;
        const window = new SlidingWindow(given, now);
        const log: Taken[] = [];
        const within = (ms: number): number =>
          log.reduce((sum, { at, cost }) => (now < at + ms ? sum + cost : sum), 0);
        for (const { span: share, cost, back } of events) {
          now += share * given.perMs;
          if (back === null) {
            window.take(cost, now);
            log.push({ at: now, cost });
          } else {
            const taken = log[back.which % Math.max(1, log.length)];
            if (taken === undefined) continue;
            const amount = Math.round(taken.cost * back.share);
            window.giveBack(amount, taken.at, now);
            taken.cost -= amount;
          }
          const used = given.limit - window.available(now);
          expect(used).toBeGreaterThanOrEqual(within(given.perMs));
          expect(used).toBeLessThanOrEqual(within(given.perMs * (1 + 1 / 64) + 1e-6));
          expect(window.fullAt(now) <= now).toBe(used === 0);
        }
      }),
    );
  });

  it("needs no more memory for a higher limit", () => {
    const window = new SlidingWindow({ limit: 1e9, perMs: 1_000 }, 0);
    for (let i = 0; i < 20_000; i++) window.take(1, i * 0.2);
    // Steps of the way down tell the entries apart.
    const steps = new Set<number>();
    for (let now = 4_000; now <= 5_100; now += 0.5) steps.add(window.available(now));
    expect(steps.size).toBeLessThanOrEqual(67);
    expect(window.available(5_100)).toBe(1e9);
  });
});
