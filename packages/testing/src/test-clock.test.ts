import { describe, expect, it } from "vitest";

import { createTestClock, seeded } from "./index.ts";

describe("the test clock", () => {
  it("fires timers in their order, at their time, and settles what they started before the next", async () => {
    const clock = createTestClock();
    const seen: string[] = [];
    clock.setTimer(20, () => seen.push(`b at ${clock.now()}`));
    clock.setTimer(10, () => {
      seen.push(`a at ${clock.now()}`);
      void Promise.resolve().then(() => seen.push("after a"));
    });
    clock.setTimer(20, () => seen.push(`c at ${clock.now()}`));
    await clock.advance(15);
    expect(seen).toEqual(["a at 10", "after a"]);
    await clock.advance(5);
    expect(seen).toEqual(["a at 10", "after a", "b at 20", "c at 20"]);
    expect(clock.now()).toBe(20);
    expect(clock.pending).toBe(0);
  });

  it("forgets what was cancelled, and fires what was set meanwhile", async () => {
    const clock = createTestClock();
    const seen: number[] = [];
    clock.setTimer(5, () => seen.push(5))();
    clock.setTimer(1, () => clock.setTimer(1, () => seen.push(clock.now())));
    await clock.advance(10);
    expect(seen).toEqual([2]);
  });

  it("lets time pass until a promise settles, and says so when nothing is left that could settle it", async () => {
    const clock = createTestClock();
    expect(
      await clock.until(new Promise((resolve) => void clock.setTimer(3_600_000, () => resolve("late")))),
    ).toBe("late");
    expect(clock.now()).toBe(3_600_000);
    await expect(clock.until(Promise.reject(new Error("no")))).rejects.toThrow("no");
    await expect(clock.until(new Promise(() => {}))).rejects.toThrow(
      "nothing is left that could settle this promise",
    );
  });

  it("holds chance in the hand", () => {
    const clock = createTestClock({ seed: 7 });
    const again = createTestClock({ seed: 7 });
    expect([clock.random(), clock.random()]).toEqual([again.random(), again.random()]);
    clock.setRandom(0.25);
    expect(clock.random()).toBe(0.25);
    const random = seeded(3);
    const drawn = Array.from({ length: 10_000 }, random);
    expect(drawn.every((value) => value >= 0 && value < 1)).toBe(true);
    expect(drawn.reduce((sum, value) => sum + value, 0) / drawn.length).toBeCloseTo(0.5, 1);
  });

  it("shows a wall clock that goes along", async () => {
    const clock = createTestClock({ wallStart: 1_000 });
    await clock.advance(500);
    expect(clock.wallNow()).toBe(1_500);
  });
});
