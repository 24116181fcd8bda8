import { expect, test } from "vitest";

import { median, ratios, spread } from "./statistics.ts";

test("the median is the middle, or between the two", () => {
  expect(median([5, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test("a slow round slows both sides down, and their ratio stays", () => {
  expect(spread(ratios([20, 200], [10, 100]))).toEqual({ median: 2, min: 2, max: 2 });
});
