import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { createCorrection } from "./correction.ts";

const count = fc.integer({ min: 1, max: 1_000_000 });

describe("the factor", () => {
  test("is 1 before anything is known", () => {
    expect(createCorrection(10).factor("m")).toBe(1);
  });

  test("comes to a constant ratio, whatever the sizes of the prompts", () => {
    const ratios = fc.double({ min: 0.25, max: 4, noNaN: true });
    fc.assert(
      fc.property(ratios, fc.array(count, { minLength: 200, maxLength: 300 }), (ratio, sizes) => {
        const correction = createCorrection(10);
        for (const estimated of sizes) correction.learn("m", estimated, ratio * estimated);
        expect(Math.abs(correction.factor("m") / ratio - 1)).toBeLessThan(0.02);
      }),
    );
  });

  test("follows when the ratio changes, to nine tenths within fifty answers", () => {
    const correction = createCorrection(10);
    for (let i = 0; i < 500; i++) correction.learn("m", 1_000, 1_000);
    for (let i = 0; i < 50; i++) correction.learn("m", 1_000, 2_000);
    expect(correction.factor("m")).toBeGreaterThan(1.9);
  });

  test("stays what it is where estimates are right", () => {
    const correction = createCorrection(10);
    for (let i = 1; i < 100; i++) correction.learn("m", i, i);
    expect(correction.factor("m")).toBeCloseTo(1, 12);
  });

  test("is between 0.25 and 4, whatever is learnt", () => {
    const anything = fc.oneof(count, fc.double(), fc.integer());
    fc.assert(
      fc.property(fc.array(fc.tuple(anything, anything)), (answers) => {
        const correction = createCorrection(10);
        for (const [estimated, actual] of answers) correction.learn("m", estimated, actual);
        expect(correction.factor("m")).toBeGreaterThanOrEqual(0.25 - 1e-9);
        expect(correction.factor("m")).toBeLessThanOrEqual(4 + 1e-9);
      }),
    );
  });

  test.each([
    ["nothing estimated", 0, 10],
    ["nothing counted", 10, 0],
    ["less than nothing", -10, -10],
    ["no number", Number.NaN, 10],
    ["no end", 10, Infinity],
    ["eleven times as much", 10, 110],
    ["an eleventh", 110, 10],
  ])("learns nothing from %s", (_, estimated, actual) => {
    const correction = createCorrection(10);
    for (let i = 0; i < 50; i++) correction.learn("m", estimated, actual);
    expect(correction.factor("m")).toBe(1);
  });

  test("learns less from a short prompt than from a long one", () => {
    const [short, long] = [createCorrection(10), createCorrection(10)];
    short.learn("m", 3, 9);
    long.learn("m", 3_000, 9_000);
    expect(short.factor("m")).toBeLessThan(1.1);
    expect(long.factor("m")).toBeGreaterThan(1.9);
  });
});

test("models are kept apart, and no more of them than were asked for", () => {
  const correction = createCorrection(2);
  const learn = (model: string): void => correction.learn(model, 1_000, 2_000);
  learn("a");
  learn("b");
  expect(correction.factor("c")).toBe(1);
  learn("a");
  learn("c");
  expect(["a", "b", "c"].map((model) => correction.factor(model) > 1)).toEqual([true, false, true]);
});
