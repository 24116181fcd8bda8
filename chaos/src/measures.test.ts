import { expect, test } from "vitest";

import { PERMITS, RATE } from "./faults/fault.ts";
import type { History } from "./history.ts";
import { permitMeasure, permitMeasureAway, rateMeasure, sharesKept } from "./measures.ts";

const begins = (load: string, times: readonly (readonly [worker: number, at: number])[]): History => ({
  events: times.map(([worker, at], id) => ({ type: "begin", load, worker, id, askedAt: at, at, note: "" })),
  killedAt: new Map(),
  endingAt: 10_000_000,
  endedAt: 10_000_000,
});

test("a rate is measured where its bound is nearest", () => {
  // Twice what 250 ms may hold, and well within what a second may.
  const burst = begins(
    RATE.name,
    Array.from({ length: 220 }, (_, i) => [0, i] as const),
  );
  expect(rateMeasure(burst, RATE)).toMatchObject({
    bound: 112,
    worst: 220,
    unit: "admissions in 250 ms ≤ burst + rate × w",
  });
  expect(rateMeasure(burst, RATE, { bursts: 1, because: "so" })).toMatchObject({
    bound: 162,
    unit: "admissions in 250 ms ≤ 2 × burst + rate × w: so",
  });
});

test("permits are measured against the limit and what is said to come on top", () => {
  const held = begins(
    PERMITS.name,
    Array.from({ length: 26 }, (_, i) => [i % 12, i] as const),
  );
  expect(permitMeasure(held, PERMITS)).toMatchObject({ bound: 24, worst: 26 });
  expect(permitMeasure(held, PERMITS, { more: 2, because: "what it held" })).toMatchObject({
    bound: 26,
    unit: "permits at once ≤ limit + what it held",
  });
});

test("what was decided by shares comes on top, and no process takes more than its own", () => {
  const held = (worker: number, at: number, note: string): History["events"][number] => ({
    type: "begin",
    load: PERMITS.name,
    worker,
    id: at,
    askedAt: at,
    at,
    note,
  });
  const history = (events: readonly History["events"][number][]): History => ({ ...begins("", []), events });
  const full = Array.from({ length: 24 }, (_, i) => held(i % 8, i, "store"));
  const beside = [held(10, 30, "local"), held(11, 31, "local")];
  expect(permitMeasure(history([...full, ...beside]), PERMITS)).toMatchObject({ bound: 26, worst: 26 });
  expect(sharesKept(history([...full, ...beside]), PERMITS, 12)).toEqual([]);
  expect(sharesKept(history([...full, held(0, 30, "local")]), PERMITS, 12)).toEqual([
    "1 permits were given beside a process's share of 2",
  ]);
});

test("while all are without Redis, those that held less take up to their share", () => {
  // One process holds ten, eleven hold nothing and may each take two.
  const held = begins(
    PERMITS.name,
    Array.from({ length: 10 }, (_, i) => [0, i] as const),
  );
  const away = { from: 100, to: 1_000_000, processes: 12 };
  expect(permitMeasureAway(held, PERMITS, away)).toMatchObject({ bound: 10 + 22, worst: 10 });
});
