import { expect, test } from "vitest";

import { type Admitted, worstWindow } from "./windows.ts";

const at = (...times: readonly number[]): Admitted[] => times.map((time) => ({ askedAt: time, at: time }));

test("the fullest window is found, wherever it begins", () => {
  expect(worstWindow([], 100)).toBe(0);
  expect(worstWindow(at(0, 500, 510, 520, 700), 100)).toBe(3);
  expect(worstWindow(at(0, 100), 100), "both ends belong to it").toBe(2);
  expect(worstWindow(at(0, 101), 100)).toBe(1);
});

test("the order in which they are told makes no difference", () => {
  expect(worstWindow(at(520, 0, 700, 510, 500), 100)).toBe(3);
});

test("what may have been decided before or after the window is not held against it", () => {
  const slow = { askedAt: 0, at: 150 };
  expect(worstWindow([slow, ...at(140, 145)], 100), "it may have been decided at 0").toBe(2);
  expect(worstWindow([slow, ...at(140, 145)], 150)).toBe(3);
});

test("a history that breaks a limit of 10 a second with a burst of 5 is found out", () => {
  const steady = Array.from({ length: 50 }, (_, i) => i * 100_000);
  const bound = 5 + 10;
  expect(worstWindow(at(...steady), 1_000_000)).toBeLessThanOrEqual(bound);
  const twice = steady.flatMap((time) => (time < 2_000_000 ? [time, time + 1] : [time]));
  expect(worstWindow(at(...twice), 1_000_000)).toBeGreaterThan(bound);
});
