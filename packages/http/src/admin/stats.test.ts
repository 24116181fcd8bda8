import {
  bulkhead,
  createClient,
  createPipeline,
  guard,
  type Managed,
  retry,
  type Usage,
} from "@breakwater/core";
import { createTestClock, scriptedUpstream } from "@breakwater/testing";
import { expect, test } from "vitest";

import { createStats } from "./stats.ts";

function watched(client: Managed, clock = createTestClock()) {
  const stats = createStats(clock, () => client.snapshot());
  client.on((event) => stats.note(event));
  return () => stats.read(client.snapshot());
}

/** A pipeline whose calls end as the test says. */
function talking() {
  const clock = createTestClock();
  const script = scriptedUpstream();
  const ask = createClient({ upstream: script.upstream, runtime: clock });
  return { clock, script, ask, read: watched(ask, clock) };
}

test("counts how calls end, in the last minute", async () => {
  const { ask, clock, read, script } = talking();
  const no = guard("no", {
    name: "no",
    admit: (call) => (call.request === "refused" ? { by: "no", code: "NO" } : undefined),
  });
  const guarded = createClient({ upstream: ask.upstream, runtime: clock }, no);
  const readGuarded = watched(guarded, clock);

  const answered = guarded.outcome("answered");
  (await script.next()).answer("yes");
  await answered;
  const failed = guarded.outcome("failed");
  (await script.next()).fail(new Error("down"));
  await failed;
  await guarded.outcome("refused");
  await guarded.outcome("refused");
  const leaving = new AbortController();
  const cancelled = guarded.outcome("cancelled", { signal: leaving.signal });
  await script.next();
  leaving.abort();
  await cancelled;

  const counts = { calls: 5, answered: 1, failed: 1, refused: 2, cancelled: 1 };
  expect(readGuarded()).toMatchObject({
    ...counts,
    attempts: 0,
    refusalsBy: [{ policy: "no", code: "NO", count: 2 }],
  });
  // What is sent is told by the client that sends it.
  expect(read()).toMatchObject({ calls: 3, attempts: 3, refusalsBy: [] });
  await clock.advance(60_000);
  expect(readGuarded()).toMatchObject({ calls: 0, answered: 0, refusalsBy: [], duration: null });
  expect(readGuarded().series.points.reduce((sum, point) => sum + point.refused, 0)).toBe(2);
  await clock.advance(240_000);
  expect(readGuarded().series.points.reduce((sum, point) => sum + point.refused, 0)).toBe(0);
});

test("measures from the start of a call, its waiting included", async () => {
  const clock = createTestClock();
  const script = scriptedUpstream<string, AsyncIterable<unknown>>();
  const ask = createClient(
    { upstream: script.upstream, runtime: clock },
    bulkhead({ concurrency: 1, queue: 1, maxWait: "1m" }),
  );
  const read = watched(ask, clock);
  const drain = async (asked: Promise<AsyncIterable<unknown>>): Promise<void> => {
    for await (const _ of await asked);
  };

  const first = drain(ask("a"));
  const second = drain(ask("b"));
  const one = await script.next();
  await clock.advance(100);
  expect(read()).toMatchObject({ firstToken: null, calls: 0 });
  expect(read().series.points.at(-1)).toMatchObject({ inFlight: 2, queued: 1 });
  const stream = one.stream("x");
  await clock.advance(900);
  stream.end();
  await first;
  const other = await script.next();
  await clock.advance(500);
  other.stream("y").end();
  await second;

  expect(read().firstToken).toEqual({ p50: 100, p90: 1_500, p99: 1_500, max: 1_500, count: 2 });
  expect(read().duration).toEqual({ p50: 1_000, p90: 1_500, p99: 1_500, max: 1_500, count: 2 });
  expect(read().series.points.at(-1)).toMatchObject({
    answered: 2,
    firstTokenP50: 100,
    firstTokenP99: 1_500,
  });
});

test("shows a call in flight for as long as it is, whether or not anything happens", async () => {
  const { ask, clock, read, script } = talking();
  await clock.advance(1_000);
  const asked = ask("long");
  const call = await script.next();
  await clock.advance(20_000);
  call.answer("at last");
  await asked;
  await clock.advance(5_000);
  const inFlight = read().series.points.map((point) => point.inFlight);
  expect(inFlight).toHaveLength(60);
  expect(inFlight.slice(-7)).toEqual([0, 1, 1, 1, 1, 1, 0]);
});

test("a series ends with the step of this moment", async () => {
  const { clock, read } = talking();
  await clock.advance(7_000);
  expect(read().series).toMatchObject({ stepMs: 5_000, until: clock.wallNow() + 3_000 });
});

test("calls that began before anybody watched do not count as fewer than none", async () => {
  const { ask, clock, script } = talking();
  const before = ask("before");
  const late = watched(ask, clock);
  (await script.next()).answer("x");
  await before;
  const after = ask("after");
  expect(late().series.points.at(-1)).toMatchObject({ inFlight: 1, answered: 1 });
  (await script.next()).answer("y");
  await after;
});

test("counts retries, and the tokens of each attempt", async () => {
  const clock = createTestClock();
  const script = scriptedUpstream();
  const ask = createClient({ upstream: script.upstream, runtime: clock }, retry({ attempts: 2 }));
  const read = watched(ask, clock);
  const usage: Usage = { promptTokens: 10, completionTokens: 5, totalTokens: 15 };
  const asked = ask("x");
  const first = await script.next();
  first.call.usage = usage;
  first.fail(new Error("broke"));
  await clock.until(
    (async () => {
      const second = await script.next();
      second.call.usage = { promptTokens: 10, completionTokens: 7 };
      second.answer("done");
    })(),
  );
  await asked;
  expect(read()).toMatchObject({ calls: 1, answered: 1, attempts: 2, retries: 1 });
  expect(read().series.points.at(-1)?.retries).toBe(1);
  expect(read().tokens).toBe(32);
});

test("adds up what is known to have cost something, and what of it was for nothing", () => {
  const clock = createTestClock();
  const client = createPipeline({ runtime: clock });
  const stats = createStats(clock, () => client.snapshot());
  const read = () => stats.read(client.snapshot());
  const cost = { type: "attempt-cost", client: "c", at: 0, host: "h", model: "m", estimated: false } as const;
  expect(read()).toMatchObject({ costUsd: null, wasteUsd: null });
  stats.note({ ...cost, category: "useful", usd: null });
  stats.note({ ...cost, category: "cached", usd: 0, savedUsd: 1 });
  expect(read()).toMatchObject({ costUsd: null, wasteUsd: null });
  stats.note({ ...cost, category: "useful", usd: 0.5 });
  expect(read()).toMatchObject({ costUsd: 0.5, wasteUsd: 0 });
  stats.note({ ...cost, category: "retryWaste", usd: 0.25 });
  stats.note({ ...cost, category: "failed", usd: 0.125 });
  expect(read()).toMatchObject({ costUsd: 0.875, wasteUsd: 0.375 });
});

test("keeps no more names than somebody reads, whoever gives them", () => {
  const clock = createTestClock();
  const client = createPipeline({ runtime: clock });
  const stats = createStats(clock, () => client.snapshot());
  for (let n = 0; n < 10_000; n++) {
    const refusal = { by: `policy ${n % 200}`, code: `CODE_${n}` };
    stats.note({ type: "call-refused", client: "c", at: 0, refusal });
  }
  const { refusalsBy } = stats.read(client.snapshot());
  expect(refusalsBy).toHaveLength(50);
  expect(refusalsBy[0]).toMatchObject({ policy: "other", code: "other" });
});

test("says of what time its figures are, which is not more than they were counted in", async () => {
  const { ask, clock, read, script } = talking();
  await clock.advance(2_000);
  expect(read().windowMs).toBe(2_000);
  await clock.advance(1_000);
  const early = ask.outcome("early");
  (await script.next()).answer("yes");
  await early;
  await clock.advance(56_500);
  const known = read();
  expect([known.calls, known.duration?.count]).toEqual([1, 1]);
  expect(known.windowMs).toBe(59_500);
  await clock.advance(2_500);
  const later = read();
  expect(later.windowMs).toBe(57_000);
  expect([later.calls, later.duration]).toEqual([0, null]);
});

test("what is in flight for an hour is in flight in every step of the chart", async () => {
  const { ask, clock, read, script } = talking();
  const long = ask.outcome("long");
  const sent = await script.next();
  await clock.advance(3_600_000);
  expect(new Set(read().series.points.map(({ inFlight }) => inFlight))).toEqual(new Set([1]));
  await clock.advance(200_000);
  const short = ask.outcome("short");
  (await script.next()).answer("yes");
  await short;
  await clock.advance(100_000);
  const steps = read().series.points.map(({ inFlight }) => inFlight);
  expect(Math.max(...steps)).toBe(2);
  expect(Math.min(...steps)).toBe(1);
  sent.answer("at last");
  await long;
});

test("knows what was in flight before it was made", async () => {
  const clock = createTestClock();
  const script = scriptedUpstream();
  const ask = createClient({ upstream: script.upstream, runtime: clock });
  const before = ask.outcome("before");
  const sent = await script.next();
  const read = watched(ask, clock);
  read();
  await clock.advance(20_000);
  expect(
    read()
      .series.points.slice(-5)
      .map(({ inFlight }) => inFlight),
  ).toEqual([1, 1, 1, 1, 1]);
  sent.answer("yes");
  await before;
  await clock.advance(20_000);
  expect(read().series.points.at(-1)?.inFlight).toBe(0);
});
