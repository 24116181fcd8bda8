import { afterEach, expect, test } from "vitest";

import { createRealClock, type Clock } from "./clock.ts";

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

test("an alarm that is set while alarms ring waits for the next run: one stream cannot keep the others out", async () => {
  clock = createRealClock({ scale: 0.001, tickMs: 1 });
  const rung: string[] = [];
  await new Promise<void>((resolve) => {
    clock?.after(10, () => {
      rung.push("first");
      clock?.after(0, () => {
        rung.push("nested");
        resolve();
      });
    });
    clock?.after(10, () => rung.push("second"));
  });
  expect(rung).toEqual(["first", "second", "nested"]);
});

test("after stop nothing rings", () => {
  clock = createRealClock({ scale: 1, tickMs: 5 });
  clock.after(0, () => expect.unreachable());
  clock.stop();
  expect(clock.pending).toBe(0);
});
