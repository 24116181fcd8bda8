import { afterEach, expect, test } from "vitest";

import { createManualClock, createRealClock, type Clock } from "./clock.ts";

let clock: Clock | undefined;
afterEach(() => clock?.stop());

test("alarms ring in the order of their times, not of their making", async () => {
  clock = createRealClock({ scale: 0.01, tickMs: 0 });
  const rung: string[] = [];
  await new Promise<void>((resolve) => {
    clock?.after(300, () => {
      rung.push("late");
      resolve();
    });
    clock?.after(100, () => rung.push("early"));
    clock?.after(100, () => rung.push("early too"));
    clock?.after(200, () => rung.push("cancelled")).cancel();
  });
  expect(rung).toEqual(["early", "early too", "late"]);
  expect(clock.pending).toBe(0);
});

test("an alarm never rings before its time, and simulated time runs by the scale", async () => {
  clock = createRealClock({ scale: 0.001, tickMs: 5 });
  const start = clock.now();
  const real = performance.now();
  const rangAt = await new Promise<number>((resolve) =>
    clock?.after(20_000, () => resolve(clock?.now() ?? 0)),
  );
  expect(rangAt - start).toBeGreaterThanOrEqual(20_000);
  expect(performance.now() - real).toBeGreaterThanOrEqual(19);
});

test("a change of scale keeps what has elapsed and brings the alarms nearer", async () => {
  clock = createRealClock({ scale: 1, tickMs: 0 });
  const rang = new Promise<void>((resolve) => void clock?.after(3_600_000, resolve));
  const before = clock.now();
  clock.setScale(0.000_001);
  expect(clock.now()).toBeGreaterThanOrEqual(before);
  await rang;
});

test("a late alarm sees its own time, and what it sets in motion rings in its place", async () => {
  clock = createRealClock({ scale: 0.001, tickMs: 20 });
  const rung: [string, number][] = [];
  const start = clock.now();
  const ring = (name: string): void => void rung.push([name, Math.round((clock?.now() ?? 0) - start)]);
  let horizon = 0;
  await new Promise<void>((resolve) => {
    clock?.after(1000, () => {
      ring("a");
      horizon = clock?.horizon() ?? 0;
      clock?.after(2000, () => ring("c"));
    });
    clock?.after(2000, () => ring("b"));
    clock?.after(4000, () => {
      ring("d");
      resolve();
    });
    // The computer is busy for 8 ms, which is 8000 simulated ones: all are late.
    const free = performance.now() + 8;
    while (performance.now() < free);
  });
  expect(rung.map(([name]) => name)).toEqual(["a", "b", "c", "d"]);
  expect(rung.map(([, at]) => Math.floor(at / 1000))).toEqual([1, 2, 3, 4]);
  expect(horizon - start).toBeGreaterThan(7000);
});

test("after stop nothing rings", () => {
  clock = createRealClock({ scale: 1, tickMs: 5 });
  clock.after(0, () => expect.unreachable());
  clock.stop();
  expect(clock.pending).toBe(0);
});

test("a manual clock rings everything in order, at its own time, and gives the program its turns", async () => {
  const manual = createManualClock({ stepMs: 10 });
  const rung: [string, number][] = [];
  const ring = (name: string): void => void rung.push([name, manual.now()]);
  manual.after(1000, () => {
    ring("b");
    // An answer that comes in the program's own turn sets an alarm from the end of the step.
    setImmediate(() => manual.after(100, () => ring("c")));
  });
  manual.after(500, () => ring("a"));
  manual.after(5000, () => ring("d"));
  await manual.advance(2000);
  expect(rung).toEqual([
    ["a", 500],
    ["b", 1000],
    ["c", 1110],
  ]);
  expect(manual.now()).toBe(2000);
  await manual.advance(3000);
  expect(rung.at(-1)).toEqual(["d", 5000]);
});
