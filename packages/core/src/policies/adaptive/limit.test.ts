import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createLimit, type LimitConfig } from "./limit.ts";

const config: LimitConfig = { max: 500, min: 1, calmMs: 30_000 };

function busy(active: number, options: Partial<LimitConfig> = {}) {
  const limit = createLimit({ ...config, ...options });
  for (let i = 0; i < active; i++) limit.begin();
  return limit;
}

describe("a limit that follows refusals", () => {
  it("takes a number at its word, less a tenth, and never leaves its bounds", () => {
    const limit = busy(300);
    limit.refuse(1_000, 900, 25);
    expect(limit.value).toBe(22);
    limit.refuse(1_200, 1_100, 1);
    expect(limit.value).toBe(1);
    limit.refuse(1_400, 1_300, 9_000);
    expect(limit.value).toBe(500);
  });

  it("cuts once for a burst: refusals of calls that left before the cut change nothing", () => {
    const limit = busy(100);
    for (let i = 0; i < 50; i++) limit.refuse(1_000 + i, 990);
    expect(limit.value).toBe(70);
    limit.refuse(1_100, 1_080);
    expect(limit.value).toBe(49);
  });

  it("believes an old refusal that names less", () => {
    const limit = busy(100);
    limit.refuse(1_000, 990);
    limit.refuse(1_001, 990, 20);
    expect(limit.value).toBe(18);
    limit.refuse(1_002, 990, 40);
    expect(limit.value).toBe(18);
  });

  it("without a number it cuts what was out, not what was allowed", () => {
    const limit = busy(20);
    limit.refuse(1_000, 990);
    expect(limit.value).toBe(14);
  });

  it("grows in calm only, a step a second, each one larger, and only while all of it is used", () => {
    const limit = busy(40);
    limit.refuse(0, -1, 10);
    const steps = [29_999, 30_000, 30_999, 31_000, 32_000, 33_000].map((now) => {
      limit.grow(now);
      return limit.value;
    });
    expect(steps).toEqual([9, 10, 10, 12, 15, 19]);
    for (let i = 0; i < 22; i++) limit.end();
    limit.grow(40_000);
    expect(limit.value).toBe(19);
    limit.begin();
    limit.grow(40_000);
    expect(limit.value).toBe(24);
    limit.refuse(40_100, 40_050, 20);
    expect(limit.value).toBe(18);
    expect(limit.nextStepAt()).toBe(70_100);
  });

  it("has no step to come at the top", () => {
    const limit = busy(5, { max: 3 });
    expect(limit.nextStepAt()).toBe(Infinity);
    limit.refuse(0, -1, 2);
    expect(limit.nextStepAt()).toBe(30_000);
    limit.grow(30_000);
    limit.grow(31_000);
    expect(limit.value).toBe(3);
    expect(limit.nextStepAt()).toBe(Infinity);
  });

  it("follows a bound that is changed only if it was never cut", () => {
    const untouched = busy(0);
    untouched.configure({ ...config, max: 800 });
    expect(untouched.value).toBe(800);
    const cut = busy(100);
    cut.refuse(0, -1, 50);
    cut.configure({ ...config, max: 800 });
    expect(cut.value).toBe(45);
    cut.configure({ ...config, max: 30 });
    expect(cut.value).toBe(30);
  });

  it("stays a whole number within its bounds, whatever happens, and rises only by its steps", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("grow"), after: fc.nat(40_000) }),
      fc.record({
        kind: fc.constant("refuse"),
        after: fc.nat(40_000),
        age: fc.nat(60_000),
        named: fc.option(fc.nat(2_000), { nil: undefined }),
      }),
      fc.record({ kind: fc.constantFrom("begin", "end") }),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 600 }),
        fc.nat(599),
        fc.array(step, { maxLength: 200 }),
        (max, low, steps) => {
          const min = Math.max(1, Math.min(max, low));
          const limit = createLimit({ max, min, calmMs: 30_000 });
          let now = 0;
          let out = 0;
          for (const each of steps) {
            const before = limit.value;
            if ("after" in each) now += each.after;
            if (each.kind === "begin") {
              limit.begin();
              out++;
            } else if (each.kind === "end" && out > 0) {
              limit.end();
              out--;
            } else if (each.kind === "grow") limit.grow(now);
            else if ("age" in each) {
              limit.refuse(now, now - each.age, each.named);
              if (each.named === undefined) expect(limit.value).toBeLessThanOrEqual(before);
            }
            expect(Number.isInteger(limit.value)).toBe(true);
            expect(limit.value).toBeGreaterThanOrEqual(min);
            expect(limit.value).toBeLessThanOrEqual(max);
          }
        },
      ),
    );
  });
});
