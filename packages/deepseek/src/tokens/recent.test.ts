import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { createRecent } from "./recent.ts";

describe("what nine in ten do not exceed", () => {
  test("is unknown until ten are known", () => {
    const recent = createRecent(64, 10);
    for (let i = 1; i <= 9; i++) recent.add("m", i);
    expect(recent.p90("m")).toBeUndefined();
    recent.add("m", 10);
    expect(recent.p90("m")).toBe(9);
  });

  test("is one of the latest numbers: nine in ten are no larger, fewer are smaller", () => {
    const counts = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 10, maxLength: 200 });
    fc.assert(
      fc.property(counts, (all) => {
        const recent = createRecent(64, 10);
        for (const each of all) recent.add("m", each);
        const latest = all.slice(-64);
        const p90 = recent.p90("m") ?? 0;
        expect(latest).toContain(p90);
        expect(latest.filter((each) => each <= p90).length).toBeGreaterThanOrEqual(0.9 * latest.length);
        expect(latest.filter((each) => each < p90).length).toBeLessThan(0.9 * latest.length);
      }),
    );
  });

  test("follows what is added after it was asked for", () => {
    const recent = createRecent(10, 10);
    for (let i = 0; i < 10; i++) recent.add("m", 100);
    expect(recent.p90("m")).toBe(100);
    for (let i = 0; i < 10; i++) recent.add("m", 7);
    expect(recent.p90("m")).toBe(7);
  });

  test.each([0, -1, Number.NaN, Infinity])("is not told by %s", (count) => {
    const recent = createRecent(10, 10);
    for (let i = 0; i < 20; i++) recent.add("m", count);
    expect(recent.p90("m")).toBeUndefined();
  });

  test("is kept for so many kinds", () => {
    const recent = createRecent(10, 2);
    for (const kind of ["a", "b", "a", "c"]) for (let i = 0; i < 10; i++) recent.add(kind, 5);
    expect(["a", "b", "c"].map((kind) => recent.p90(kind))).toEqual([5, undefined, 5]);
  });
});
