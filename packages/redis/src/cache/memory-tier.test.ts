import { createTestClock } from "@breakwater/testing";
import { describe, expect, it } from "vitest";

import type { Opened } from "./envelope.ts";
import { createMemoryTier, type Place } from "./memory-tier.ts";

const SHELF = "answers";

function setup(keepMs = 1_000, maxBytes = 1_000_000) {
  const runtime = createTestClock();
  const tier = createMemoryTier({ runtime, maxBytes, keepMs });
  const placeOf = (key: string): Place => ({ shelf: SHELF, key, digest: `#${key}` });
  const opened = (value: unknown, given: Partial<Opened> = {}): Opened => ({
    entry: { value, stream: false, bytes: 10, freshMs: 60_000 },
    ageMs: 0,
    keepMs: 60_000,
    stamp: 7,
    ...given,
  });
  return {
    tier,
    runtime,
    placeOf,
    opened,
    put: (key: string, value: unknown, given?: Partial<Opened>) =>
      tier.watch(placeOf(key))(opened(value, given)),
    value: (key: string) => tier.get(SHELF, key)?.entry.value,
  };
}

describe("answers in the process, in front of Redis", () => {
  it("are there for a moment, as old as they are, and known by their stamp", async () => {
    const { tier, put, runtime, value } = setup();
    put("a", 1, { ageMs: 200 });
    await runtime.advance(500);
    expect(tier.get(SHELF, "a")).toMatchObject({ ageMs: 700 });
    expect(tier.stampOf(tier.get(SHELF, "a"))).toBe(7);
    await runtime.advance(500);
    expect(value("a")).toBeUndefined();
    expect(tier.stampOf(undefined)).toBe(0);
  });

  it("are there no longer than they are fresh, or kept", async () => {
    const { put, runtime, value, opened } = setup();
    put("fresh", 1, { entry: { ...opened(1).entry, freshMs: 300 }, ageMs: 200 });
    put("kept", 1, { keepMs: 50 });
    put("stale", 1, { ageMs: 70_000, keepMs: 100_000 });
    expect(value("stale")).toBeUndefined();
    await runtime.advance(50);
    expect(value("kept")).toBeUndefined();
    expect(value("fresh")).toBe(1);
    await runtime.advance(50);
    expect(value("fresh")).toBeUndefined();
  });

  it("go when they are invalidated, and no others", () => {
    const { tier, put, value } = setup();
    put("a", 1);
    put("b", 2);
    tier.drop("#a");
    expect([value("a"), value("b")]).toEqual([undefined, 2]);
    put("a", 3);
    expect(value("a")).toBe(3);
    tier.dropAll();
    expect([value("a"), value("b")]).toEqual([undefined, undefined]);
  });

  it("do not come that were asked for before they were invalidated", () => {
    const { tier, placeOf, opened, value, put } = setup();
    const late = tier.watch(placeOf("a"));
    const other = tier.watch(placeOf("b"));
    tier.drop("#a");
    late(opened("late"));
    other(opened("other"));
    expect([value("a"), value("b")]).toEqual([undefined, "other"]);
    const before = tier.watch(placeOf("c"));
    tier.dropAll();
    before(opened("late"));
    expect(value("c")).toBeUndefined();
    put("c", "new");
    expect(value("c")).toBe("new");
  });

  it("stay invalidated for as long as they could be there", async () => {
    const { tier, put, runtime, value } = setup(1_000);
    await runtime.advance(900);
    put("a", 1);
    tier.drop("#a");
    for (let n = 0; n < 20; n++) {
      await runtime.advance(70);
      tier.drop(`#other ${n}`);
      expect(value("a")).toBeUndefined();
    }
  });

  it("all go when more are invalidated than can be remembered", () => {
    const { tier, put, value } = setup(60_000);
    put("a", 1);
    put("b", 2);
    tier.drop("#a");
    for (let n = 0; n < 10_001; n++) tier.drop(`#other ${n}`);
    expect([value("a"), value("b")]).toEqual([undefined, undefined]);
  });

  it.each([
    [0, 1_000],
    [1_000, 0],
  ])("are none with %d ms and %d bytes", (keepMs, bytes) => {
    const { put, value } = setup(keepMs, bytes);
    put("a", 1);
    expect(value("a")).toBeUndefined();
  });
});
