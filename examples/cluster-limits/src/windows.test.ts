import { expect, test } from "vitest";

import { mostAtOnce, worstWindow } from "./windows.ts";

test("the worst window may lie anywhere, and its end is not in it", () => {
  expect(worstWindow([], 100)).toBe(0);
  expect(worstWindow([0, 90, 99, 100, 150, 400], 100)).toBe(4); // 90 to 150
  expect(worstWindow([0, 100, 200], 100)).toBe(1);
});

test("the most at once counts nobody who has just left", () => {
  expect(mostAtOnce([])).toBe(0);
  expect(
    mostAtOnce([
      { from: 0, to: 10 },
      { from: 5, to: 20 },
      { from: 10, to: 30 },
    ]),
  ).toBe(2);
});
