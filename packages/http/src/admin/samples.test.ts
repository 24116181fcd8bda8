import { seeded } from "@breakwater/testing";
import { expect, test } from "vitest";

import { createSamples, percentilesOf } from "./samples.ts";

test("percentiles are values that were measured", () => {
  expect(percentilesOf([])).toBeNull();
  expect(percentilesOf([7])).toEqual({ p50: 7, p90: 7, p99: 7, max: 7, count: 1 });
  expect(percentilesOf([4, 1, 3, 2])).toEqual({ p50: 2, p90: 4, p99: 4, max: 4, count: 4 });
  const hundred = Array.from({ length: 100 }, (_, n) => 100 - n);
  expect(percentilesOf(hundred)).toEqual({ p50: 50, p90: 90, p99: 99, max: 100, count: 100 });
});

test("at least the share that they say is not above them, and no smaller one would do", () => {
  const random = seeded(7);
  for (let round = 0; round < 200; round++) {
    const values = Array.from({ length: 1 + Math.floor(random() * 300) }, () => Math.floor(random() * 100));
    const found = percentilesOf([...values]);
    for (const [name, share] of [
      ["p50", 0.5],
      ["p90", 0.9],
      ["p99", 0.99],
    ] as const) {
      const value = found?.[name] as number;
      expect(values).toContain(value);
      expect(values.filter((one) => one <= value).length).toBeGreaterThanOrEqual(share * values.length);
      expect(values.filter((one) => one < value).length).toBeLessThan(share * values.length);
    }
  }
});

test("samples are those of the time that is asked for, and of many the last", () => {
  const samples = createSamples(10);
  for (let n = 1; n <= 25; n++) samples.add(n, n * 100);
  expect(samples.since(0)).toMatchObject({ count: 10, max: 25, p50: 20 });
  expect(samples.since(2_300)).toMatchObject({ count: 2, p50: 24 });
  expect(samples.since(2_500)).toBeNull();
});
