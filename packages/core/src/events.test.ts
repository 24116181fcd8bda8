import { describe, expect, it } from "vitest";

import { createTestClock, scriptedUpstream } from "../../testing/src/index.ts";
import { createClient } from "./client.ts";
import { TimedOutError } from "./errors.ts";
import type { BreakwaterEvent, EventOf, EventType } from "./events.ts";
import { createPipeline } from "./pipeline.ts";
import { bulkhead } from "./policies/bulkhead/index.ts";
import { cache } from "./policies/cache/index.ts";
import { fallback } from "./policies/fallback.ts";
import { retry } from "./policies/retry/index.ts";
import { timeout } from "./policies/timeout/index.ts";
import { upstream } from "./upstream.ts";

const only = <T extends EventType>(events: readonly BreakwaterEvent[], type: T): EventOf<T>[] =>
  events.filter((event): event is EventOf<T> => event.type === type);

describe("attempts are told", () => {
  it("once for each request that leaves, however many policies and clients are around it", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const inner = createClient(
      { upstream: script.upstream, runtime: clock, name: "inner" },
      cache({ ttl: "1m", key: (text) => text, shared: true }),
      retry({ attempts: 3, baseDelay: 1_000, maxDelay: 1_000 }),
      timeout({ overall: "10s" }),
    );
    const outer = createClient(
      { upstream: inner, runtime: clock, name: "outer" },
      fallback({ value: () => "spare" }),
    );
    const events: BreakwaterEvent[] = [];
    inner.on((event) => events.push(event));
    outer.on((event) => events.push(event));

    const asked = outer("a");
    (await script.next()).fail(new Error("down"));
    const second = await clock.until(script.next());
    await clock.advance(2_000);
    second.answer("b");
    expect(await asked).toBe("b");

    expect(only(events, "attempt-start")).toMatchObject([
      { client: "inner", attempt: 1 },
      { client: "inner", attempt: 2 },
    ]);
    const ends = only(events, "attempt-end");
    expect(ends).toMatchObject([
      { attempt: 1, ending: { status: "failed" } },
      { attempt: 2, ending: { status: "answered" } },
    ]);
    expect(ends.map(({ ending, startedAt }) => ending.endedAt - startedAt)).toEqual([0, 2_000]);
  });

  it("not for what a policy refused before", async () => {
    const full = createPipeline(retry(), bulkhead({ concurrency: 1 }));
    const events: BreakwaterEvent[] = [];
    let over = (): void => {};
    const running = full.outcome(() => new Promise<void>((resolve) => (over = resolve)));
    full.on((event) => events.push(event));
    expect((await full.outcome(() => 1)).status).toBe("refused");
    over();
    await running;
    expect(only(events, "attempt-start")).toEqual([]);
    expect(only(events, "call-end")).toMatchObject([{ attempts: 0, ending: { status: "refused" } }]);
  });

  it("that a clock has ended end then, though their work goes on", async () => {
    const clock = createTestClock();
    const deaf = createPipeline({ runtime: clock }, timeout({ overall: "5s" }));
    const events: BreakwaterEvent[] = [];
    deaf.on((event) => events.push(event));
    const outcome = deaf.outcome(() => new Promise(() => {}));
    await clock.advance(5_000);
    await outcome;
    const [end] = only(events, "attempt-end");
    expect(end?.ending.status).toBe("failed");
    expect(TimedOutError.isInstance(end?.ending.error)).toBe(true);
  });
});

describe("a call is told", () => {
  it("with a serial of its own where several share one id, and with the call that it is part of", async () => {
    const ask = createClient(upstream(async (text: string) => text));
    const page = createPipeline({ name: "page" });
    const events: BreakwaterEvent[] = [];
    for (const one of [ask, page]) one.on((event) => events.push(event));
    await page.execute(({ signal }) => Promise.all([ask("a", { signal }), ask("b", { signal })]), {
      callId: "r",
    });
    const [outer, first, second] = only(events, "call-start");
    expect([outer, first, second].map((event) => event?.callId)).toEqual(["r", "r", "r"]);
    expect(new Set([outer?.serial, first?.serial, second?.serial]).size).toBe(3);
    expect([outer?.parent, first?.parent, second?.parent]).toEqual([undefined, outer?.serial, outer?.serial]);
    for (const { serial } of events) expect(typeof serial).toBe("number");
  });

  it("with whose it was, when it began and all that is known of it", async () => {
    const clock = createTestClock();
    const search = createPipeline({ name: "search", runtime: clock }, cache({ ttl: "1m", key: () => "k" }));
    const events: BreakwaterEvent[] = [];
    search.on((event) => events.push(event));
    await search.execute(() => 1, { tenant: "acme", priority: "batch" });
    await clock.advance(500);
    await search.execute(() => 2, { tenant: "acme" });
    expect(only(events, "call-end")).toMatchObject([
      { tenant: "acme", priority: "batch", startedAt: 0, meta: { cache: "miss", attempts: 1 } },
      { tenant: "acme", priority: "interactive", startedAt: 500, meta: { cache: "hit", attempts: 0 } },
    ]);
  });
});

it("nobody listening is told nothing, and nothing is made for him", async () => {
  const search = createPipeline({ name: "search" }, retry({ attempts: 2, baseDelay: 0 }));
  const events: BreakwaterEvent[] = [];
  const leave = search.on((event) => events.push(event));
  leave();
  await search.outcome(() => Promise.reject(new Error("down")));
  expect(events).toEqual([]);
});
