import { expect, test } from "vitest";

import { bar, viewOf } from "./view.ts";

test("a bar is full at the limit, and no longer above it", () => {
  expect(bar(0, 20)).toBe(`${"·".repeat(40)}    0 of 20`);
  expect(bar(20, 20)).toBe(`${"█".repeat(40)}   20 of 20`);
  expect(bar(25, 20)).toBe(`${"█".repeat(40)}!  25 of 20`);
});

test("a process that was killed is shown as such", () => {
  const counts = { answered: 7, refused: 1, failed: 0, decidedBy: "store" };
  const seen = { seconds: 1, perSecond: 3, inFlight: 2, turnedAway: 0 };
  const members = [
    { pid: 11, alive: true, ...counts },
    { pid: 12, alive: false, ...counts },
  ];
  const [one, other] = viewOf({ ...seen, members })
    .split("\n")
    .slice(-2);
  expect(one).toMatch(/process 11 +by store +7 answered +1 refused/);
  expect(other).toMatch(/process 12 +killed/);
});
