import { expect, test } from "vitest";

import type { Waits } from "./history.ts";
import { reportOf, rowOf, tableOf } from "./rows.ts";

const MEASURED = { unit: "permits at once ≤ limit", bound: 24, worst: 24 };

const waits = (ms: number): Waits => ({ longestMs: ms, longestOwnMs: ms });

test("what reaches its bound holds, what oversteps it, waits too long or complains does not", () => {
  expect(rowOf("fault", "", MEASURED, waits(12.4), [])).toMatchObject({ held: true, longestWaitMs: 12 });
  expect(rowOf("fault", "", { ...MEASURED, worst: 25 }, waits(12), []).held).toBe(false);
  expect(rowOf("fault", "", MEASURED, waits(1_001), [])).toMatchObject({
    held: false,
    complaints: ["somebody waited for 1001 ms, at most 1000 ms"],
  });
  expect(rowOf("fault", "", MEASURED, waits(12), ["something was left"]).held).toBe(false);
  expect(rowOf("fault", "", { ...MEASURED, worst: Infinity }, waits(12), [])).toMatchObject({
    held: false,
    worst: -1,
  });
});

test("the report has what its readers compare, in numbers", () => {
  const rows = [rowOf("a-fault", "it breaks", MEASURED, waits(12), [])];
  expect(reportOf(rows)).toEqual([
    {
      fault: "a-fault",
      bound: 24,
      worst: 24,
      longestWaitMs: 12,
      held: true,
      unit: "permits at once ≤ limit",
    },
  ]);
});

test("the table says which did not hold", () => {
  const table = tableOf([
    rowOf("a-fault", "it breaks", MEASURED, waits(12), []),
    rowOf("a-fault-recovery", "it breaks", { ...MEASURED, worst: Infinity }, waits(12), []),
  ]);
  expect(table).toMatch(/a-fault +│ it breaks +│ permits at once ≤ limit +│ +24 │ +24 │ +12 ms │ held/);
  expect(table).toMatch(/a-fault-recovery +│ ″ .*never .*BROKEN/);
});
