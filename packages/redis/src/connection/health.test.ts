import { createTestClock } from "@breakwater/testing";
import { expect, test } from "vitest";

import { createHealth, type Health } from "./health.ts";

interface Bench {
  readonly clock: ReturnType<typeof createTestClock>;
  readonly health: Health;
  readonly changes: string[];
  readonly probes: number[];
  /** What probes say from now on. */
  say(answer: "well" | "sick" | "nothing"): void;
}

function bench(): Bench {
  const clock = createTestClock();
  const changes: string[] = [];
  const probes: number[] = [];
  let answer = "well";
  const health = createHealth({
    runtime: clock,
    probe() {
      probes.push(clock.now());
      if (answer === "nothing")
        return new Promise((_, reject) => void clock.setTimer(50, () => reject(new Error("late"))));
      return answer === "well" ? Promise.resolve() : Promise.reject(new Error("sick"));
    },
    changed: (up) => changes.push(`${up ? "up" : "down"} ${clock.now()}`),
  });
  return { clock, health, changes, probes, say: (to) => void (answer = to) };
}

test("it is up once a probe was answered, not when there is a connection", async () => {
  const { clock, health, changes } = bench();
  expect(health.up).toBe(false);
  health.connected();
  expect(health.up).toBe(false);
  await clock.settle();
  expect(health.up).toBe(true);
  expect(changes).toEqual(["up 0"]);
});

test("three failures in a row take it down; one that succeeds between them does not let them add up", async () => {
  const { clock, health, changes } = bench();
  health.connected();
  await clock.settle();
  const why = new Error("late");
  for (const outcome of ["failed", "failed", "succeeded", "failed", "failed"] as const) health[outcome](why);
  expect(health.up).toBe(true);
  health.failed(why);
  expect(health.up).toBe(false);
  expect(health.reason).toBe(why);
  expect(changes).toEqual(["up 0", "down 0"]);
});

test("while it is down one probe at a time is made, and the first that is answered takes it up", async () => {
  const { clock, health, changes, probes, say } = bench();
  health.connected();
  await clock.settle();
  say("nothing");
  clock.setRandom(0.5);
  for (let i = 0; i < 20; i++) health.failed(new Error("late"));
  await clock.advance(480); // each probe waits for 50, and the next one for 125 more
  expect(probes).toEqual([0, 125, 300, 475]);
  say("well");
  await clock.advance(175);
  expect(changes).toEqual(["up 0", "down 0", "up 650"]);
  expect(health.reason).toBeUndefined();
  expect(clock.pending).toBe(0);
});

test("a lost connection takes it down at once and ends the probes; the next one takes it up at once", async () => {
  const { clock, health, changes, probes } = bench();
  health.connected();
  await clock.settle();
  health.disconnected(new Error("gone"));
  expect(health.reason).toEqual(new Error("gone"));
  await clock.advance(1_000);
  expect(probes).toEqual([0]);
  health.connected();
  await clock.settle();
  expect(changes).toEqual(["up 0", "down 0", "up 1000"]);
});

test("a connection after one that was of no use rests before it is tried", async () => {
  const { clock, health, probes, say } = bench();
  say("sick");
  for (let i = 0; i < 10; i++) {
    health.connected();
    await clock.advance(20); // and is dropped again, as from a replica
    health.disconnected();
  }
  expect(probes).toEqual([0]);
  health.connected();
  await clock.advance(150);
  expect(probes).toHaveLength(2);
});

test("what an older connection's probe says is not heard", async () => {
  const { clock, health, changes, probes, say } = bench();
  clock.setRandom(0);
  say("nothing");
  health.connected();
  await clock.advance(10);
  say("well");
  health.connected();
  await clock.advance(500); // the first probe fails after 50
  expect(probes).toEqual([0, 110]);
  expect(changes).toEqual(["up 110"]);
  expect(health.reason).toBeUndefined();
});

test("nothing is left behind when it is closed", async () => {
  const { clock, health, say, probes } = bench();
  say("sick");
  health.connected();
  await clock.settle();
  expect(clock.pending).toBe(1);
  health.close();
  expect(clock.pending).toBe(0);
  await clock.advance(1_000);
  expect(probes).toEqual([0]);
});
