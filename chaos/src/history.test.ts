import { expect, test } from "vitest";

import { readEvents, written } from "./events.ts";
import { admissionsOf, heldOf, type History, waitsOf, recoveryMs } from "./history.ts";

type Told = History["events"][number];

const begin = (worker: number, id: number, at: number, askedAt = at): Told => ({
  type: "begin",
  load: "calls",
  worker,
  id,
  askedAt,
  at,
  note: "",
});
const end = (worker: number, id: number, at: number): Told => ({
  type: "end",
  load: "calls",
  worker,
  id,
  at,
});
const turn = (worker: number, type: "degrade" | "recover", at: number): Told => ({
  type,
  load: "calls",
  worker,
  at,
});

const historyOf = (
  events: readonly Told[],
  killedAt: readonly (readonly [number, number])[] = [],
): History => ({
  events,
  killedAt: new Map(killedAt),
  endingAt: 900,
  endedAt: 1_000,
});

test("a process holds what it began until it ends it, is killed, or all is over", () => {
  const history = historyOf(
    [begin(0, 0, 10), begin(1, 0, 20), begin(2, 0, 30), end(0, 0, 40), begin(0, 1, 50), end(0, 1, 60)],
    [[1, 500]],
  );
  const held = heldOf(history, "calls").toSorted((a, b) => a.from - b.from);
  expect(held.map(({ worker, from, to }) => [worker, from, to])).toEqual([
    [0, 10, 40],
    [1, 20, 500],
    [2, 30, 1_000],
    [0, 50, 60],
  ]);
  expect(heldOf(history, "other")).toEqual([]);
  expect(admissionsOf(history, "calls").map(({ at }) => at)).toEqual([10, 20, 30, 50]);
});

test("the longest wait is that of whoever was not standing still", () => {
  const turned: Told = {
    type: "turned-away",
    load: "calls",
    worker: 1,
    askedAt: 0,
    at: 7_000,
    code: "RATE_LIMITED",
  };
  const history = historyOf([begin(0, 0, 3_000, 1_000), turned, begin(2, 0, 90_000, 0)]);
  expect(waitsOf(history, new Set([2]))).toEqual({ longestMs: 7, longestOwnMs: 7 });
  expect(waitsOf(history)).toEqual({ longestMs: 90, longestOwnMs: 90 });
});

test("what the machine gave no processor for is not the caller's own wait", () => {
  const stall: Told = { type: "stall", load: "", worker: 0, at: 60_000, us: 40_000 };
  const other: Told = { ...stall, worker: 1 };
  const history = historyOf([stall, other, begin(0, 0, 90_000, 30_000), begin(0, 1, 95_000, 60_000)]);
  expect(waitsOf(history)).toEqual({ longestMs: 60, longestOwnMs: 35 });
});

test("all are back when the last one is, and never if one is still away", () => {
  const events = [turn(0, "degrade", 100_000), turn(1, "degrade", 110_000), turn(0, "recover", 300_000)];
  const both = [...events, turn(1, "recover", 450_000)];
  expect(recoveryMs(historyOf(both), "calls", 200_000)).toBe(250);
  expect(recoveryMs(historyOf(events), "calls", 200_000)).toBe(Infinity);
  expect(recoveryMs(historyOf(events, [[1, 120_000]]), "calls", 200_000), "it was killed").toBe(100);
  const later = [...both, turn(0, "degrade", 500_000), turn(0, "recover", 700_000)];
  expect(recoveryMs(historyOf(later), "calls", 200_000), "that is another outage").toBe(250);
});

test("the last line of a process that was killed may be cut off", () => {
  const { worker: _, ...event } = begin(0, 0, 10);
  const line = written(event);
  expect(readEvents(line + line + line.slice(0, 9))).toEqual([event, event]);
  expect(readEvents("")).toEqual([]);
});
