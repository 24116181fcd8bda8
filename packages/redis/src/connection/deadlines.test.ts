import { createTestClock } from "@breakwater/testing";
import { expect, test } from "vitest";

import { createDeadlines } from "./deadlines.ts";

test("each ends in its time", async () => {
  const clock = createTestClock();
  const deadlines = createDeadlines(clock);
  const ended: string[] = [];
  deadlines.set(50, () => ended.push(`a ${clock.now()}`));
  deadlines.set(20, () => ended.push(`b ${clock.now()}`));
  await clock.advance(100);
  expect(ended).toEqual(["b 20", "a 50"]);
});

test("one that was cancelled never ends, and leaves no timer", async () => {
  const clock = createTestClock();
  const deadlines = createDeadlines(clock);
  const ended: number[] = [];
  deadlines.set(50, () => ended.push(1))();
  expect(clock.pending).toBe(0);
  await clock.advance(100);
  expect(ended).toEqual([]);
});

test("what has arrived while the loop was blocked is read first", async () => {
  const clock = createTestClock();
  const due: (() => void)[] = [];
  const setTimer = (_: number, f: () => void): (() => void) => {
    due.push(f);
    return () => {};
  };
  const deadlines = createDeadlines({ ...clock, setTimer });
  const ended: string[] = [];
  const cancel = deadlines.set(50, () => ended.push("its reply was in the socket"));
  deadlines.set(50, () => ended.push("nothing has come"));
  for (const fire of due) fire(); // as Node does after a block, before it reads
  cancel();
  await clock.settle();
  expect(ended).toEqual(["nothing has come"]);
});
