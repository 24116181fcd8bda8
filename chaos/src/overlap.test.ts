import { expect, test } from "vitest";

import { overlapAt, worstOverlap } from "./overlap.ts";

test("who comes when another leaves does not meet him", () => {
  expect(worstOverlap([])).toBe(0);
  expect(
    worstOverlap([
      { from: 0, to: 10 },
      { from: 10, to: 20 },
    ]),
  ).toBe(1);
});

test("three of which each meets another make no three at once", () => {
  const chain = [
    { from: 0, to: 10 },
    { from: 5, to: 15 },
    { from: 12, to: 20 },
  ];
  expect(worstOverlap(chain)).toBe(2);
  expect(overlapAt(chain, 13)).toBe(2);
  expect(overlapAt(chain, 15), "it has left at its end").toBe(1);
});

test("one permit too many is found out, if only for a moment", () => {
  const held = Array.from({ length: 100 }, (_, i) => ({ from: i * 10, to: i * 10 + 30 }));
  expect(worstOverlap(held)).toBe(3);
  expect(worstOverlap([...held, { from: 505, to: 506 }])).toBe(4);
});
