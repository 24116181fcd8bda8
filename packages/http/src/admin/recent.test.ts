import { type BreakwaterEvent, circuitBreaker, createPipeline, TimedOutError } from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import { describe, expect, test } from "vitest";

import { createRecent } from "./recent.ts";

const at = { client: "chat", at: 1 } as const;
const waiting = { ...at, type: "retry-wait", policy: "retry", attempt: 1, ms: 100 } as const;
const opened = (key: string): BreakwaterEvent => ({
  ...at,
  type: "breaker-open",
  policy: "host",
  key,
  openForMs: 5_000,
});

function recent() {
  const clock = createTestClock();
  return { clock, ...createRecent(clock) };
}

describe("recent events", () => {
  test("are what happens to policies, and not what each call tells", async () => {
    const { list, note } = recent();
    const pipeline = createPipeline(
      { name: "search" },
      circuitBreaker({ name: "host", window: { calls: 1 }, minimumCalls: 1, key: () => "tenant" }),
    );
    pipeline.on(note);
    await pipeline.outcome(() => Promise.reject(new Error("down")));
    expect((await pipeline.outcome(() => 1)).status).toBe("refused");
    await pipeline.change("host", { force: "closed", key: "tenant" }, { by: "ada" });
    expect(list()).toMatchObject([
      { type: "breaker-open", client: "search", policy: "host" },
      { type: "policy-change", policy: "host", change: { force: "closed", key: "tenant" }, by: "ada" },
    ]);
  });

  test("say when they happened, and hold no message of an error", async () => {
    const { clock, list, note } = recent();
    await clock.advance(2_500);
    const error = new TimedOutError("total", 5, { retryable: true, cause: new Error("my prompt") });
    note({ ...at, type: "store-fail", policy: "limit", error });
    expect(list()).toMatchObject([{ time: clock.wallNow(), error: { name: "TimedOutError" } }]);
    expect(JSON.stringify(list())).not.toContain("prompt");
  });

  test("are the last fifty", () => {
    const { list, note } = recent();
    for (let n = 0; n < 80; n++) note({ ...at, type: "hint", message: `hint ${n}` });
    expect(list()).toHaveLength(50);
    expect(list().at(-1)).toMatchObject({ message: "hint 79" });
  });

  test("a storm of one thing does not push out the rest", async () => {
    const { clock, list, note } = recent();
    note(opened("a"));
    for (let n = 0; n < 1_000; n++) {
      note({ ...waiting, ms: n });
      note({ ...at, type: "clock-ran-out", policy: "timeout", clock: "firstToken", ms: 5 });
      await clock.advance(10);
    }
    expect(list()).toMatchObject([
      { type: "breaker-open" },
      { type: "retry-wait", count: 1_000, ms: 999 },
      { type: "clock-ran-out", count: 1_000, time: clock.wallNow() - 10 },
    ]);
  });

  test("nor does one that tells two things in turn", async () => {
    const { clock, list, note } = recent();
    note(opened("a"));
    for (let n = 0; n < 100; n++) {
      note(waiting);
      note({ ...at, type: "retry-stop", policy: "retry", attempt: 2, because: "budget" });
      await clock.advance(10);
    }
    expect(list()).toMatchObject([
      { type: "breaker-open" },
      { type: "retry-wait", count: 100 },
      { type: "retry-stop", count: 100 },
    ]);
  });

  test("what comes again later is told again", async () => {
    const { clock, list, note } = recent();
    note(waiting);
    await clock.advance(10_000);
    note(waiting);
    expect(list()).toHaveLength(2);
    expect(list()[0]).not.toHaveProperty("count");
  });

  test("two states in turn are told in turn, and of each key", () => {
    const { list, note } = recent();
    note(opened("a"));
    note(opened("b"));
    note({ ...at, type: "breaker-half-open", policy: "host", key: "a" });
    note(opened("a"));
    expect(list().map(({ type, key }) => `${type} ${String(key)}`)).toEqual([
      "breaker-open a",
      "breaker-open b",
      "breaker-half-open a",
      "breaker-open a",
    ]);
  });

  test("who has changed what stays, however many circuits open after it", () => {
    const { list, note } = recent();
    const change = { ...at, type: "policy-change", policy: "host", kind: "bulkhead" } as const;
    for (let n = 0; n < 12; n++) note({ ...change, change: { update: { concurrency: n } } });
    for (let n = 0; n < 200; n++) note(opened(`key ${n}`));
    const told = list();
    expect(told).toHaveLength(50);
    expect(told.slice(0, 10).map((event) => event["change"])).toEqual(
      Array.from({ length: 10 }, (_, n) => ({ update: { concurrency: n + 2 } })),
    );
    expect(told.at(-1)).toMatchObject({ type: "breaker-open", key: "key 199" });
  });

  test("each change is told by itself", () => {
    const { list, note } = recent();
    const change = {
      ...at,
      type: "policy-change",
      policy: "host",
      kind: "circuit-breaker",
      change: { force: "open" },
    } as const;
    note({ ...change, by: "ada" });
    note({ ...change, by: "bob" });
    expect(list().map(({ by }) => by)).toEqual(["ada", "bob"]);
  });
});
