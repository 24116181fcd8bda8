import { describe, expect, it } from "vitest";

import { createRunning } from "./running.ts";

describe("calls that are running", () => {
  it("are hoped for as long as good calls took lately, and half as long again", () => {
    const running = createRunning();
    running.stop(running.start(0));
    running.good(0, 2_000);
    running.start(2_000);
    const later = running.start(4_000);
    expect(running.hopeful(4_500)).toBe(2);
    expect(running.hopeful(5_500)).toBe(1);
    running.stop(later);
    expect(running.hopeful(5_500)).toBe(0);
  });

  it("are hoped for half a minute while nobody knows how long a good one takes", () => {
    const running = createRunning();
    running.start(0);
    expect(running.hopeful(30_000)).toBe(1);
    expect(running.hopeful(30_001)).toBe(0);
  });

  it("are given up when nothing has gone well for long, young ones included: an upstream that hangs", () => {
    const running = createRunning();
    running.good(0, 1_000);
    for (let now = 1_000; now <= 4_000; now += 500) running.start(now);
    expect(running.hopeful(4_000)).toBeGreaterThan(0);
    running.start(4_500);
    expect(running.hopeful(4_500)).toBe(0);
  });

  it("forgets a slow success after a minute or two", () => {
    const running = createRunning();
    running.good(0, 100_000);
    running.good(100_000, 101_000);
    running.good(170_000, 171_000);
    running.good(240_000, 241_000);
    running.start(239_000);
    running.start(240_500);
    expect(running.hopeful(241_000)).toBe(1);
  });
});
