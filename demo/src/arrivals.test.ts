import { describe, expect, test } from "vitest";

import { arrivalsOf } from "./arrivals.ts";

const options = { seed: 1, users: 500, durationMs: 360_000 };

describe("arrivals", () => {
  test("are the same for the same seed, and others for another", () => {
    expect(arrivalsOf(options)).toEqual(arrivalsOf(options));
    expect(arrivalsOf({ ...options, seed: 2 })).not.toEqual(arrivalsOf(options));
  });

  test("come in order, within the evening, each with a question of its own", () => {
    const arrivals = arrivalsOf(options);
    expect(arrivals).toHaveLength(500);
    const moments = arrivals.map(({ atMs }) => atMs);
    expect(moments).toEqual(moments.toSorted((a, b) => a - b));
    expect(moments[0]).toBeGreaterThanOrEqual(0);
    expect(moments.at(-1)).toBeLessThanOrEqual(360_000);
    expect(new Set(arrivals.map(({ prompt }) => prompt)).size).toBe(arrivals.length);
    expect(new Set(arrivals.map(({ id }) => id)).size).toBe(arrivals.length);
  });

  test("are twice as dense in the middle of the evening as at its ends", () => {
    const arrivals = arrivalsOf({ ...options, users: 20_000 });
    const within = (from: number, to: number): number =>
      arrivals.filter(({ atMs }) => atMs >= from * 360_000 && atMs < to * 360_000).length;
    expect(within(0.45, 0.55) / (within(0, 0.05) + within(0.95, 1))).toBeCloseTo(2, 0);
  });
});
