import { describe, expect, it } from "vitest";

import { createTestClock, scriptedUpstream } from "../../../../testing/src/index.ts";
import {
  adaptive,
  type AdaptiveOptions,
  type BreakwaterEvent,
  createClient,
  createPipeline,
  type Outcome,
  upstream,
} from "../../index.ts";

const busy = { fault: "overload", retryable: true } as const;

function limited(options: Partial<AdaptiveOptions<string>> = {}) {
  const clock = createTestClock();
  const script = scriptedUpstream<string, string>();
  const limit = adaptive<string>({ name: "account", concurrency: 10, queue: 100, ...options });
  const ask = createClient({ upstream: script.upstream, runtime: clock }, limit);
  const events: BreakwaterEvent[] = [];
  ask.on((event) => events.push(event));
  const changes = () =>
    events.flatMap((event) => (event.type === "limit-change" ? [[event.from, event.to]] : []));
  return { clock, script, limit, ask, changes };
}

describe("adaptive", () => {
  it("a 429 that names a limit sets it; who comes then waits, and is served as places become free", async () => {
    const { clock, script, limit, ask, changes } = limited();
    const outcomes = Array.from({ length: 6 }, (_, i) => ask.outcome(`${i}`));
    const calls = [];
    for (let i = 0; i < 6; i++) calls.push(await script.next());
    await clock.advance(10);
    calls[5]?.fail(new Error("429"), { ...busy, limit: 5 });
    expect(await outcomes[5]).toMatchObject({ status: "failed", fault: "overload", limit: 5 });
    expect(limit.snapshot?.()).toMatchObject({ limit: 4 });
    const late = ask.outcome("late");
    calls[0]?.answer("ok");
    await clock.settle();
    expect(script.calls).toBe(6); // four are still out: as many as may be
    calls[1]?.answer("ok");
    const next = await script.next();
    expect(next.request).toBe("late");
    next.answer("ok");
    for (const each of [2, 3, 4]) calls[each]?.answer("ok");
    expect(await late).toMatchObject({ status: "answered" });
    for (const outcome of outcomes) await outcome;
    expect(changes()).toEqual([[10, 4]]);
    expect(limit.snapshot?.()).toMatchObject({ active: {}, queued: {} });
  });

  it("refusals of our own, cancellations and failures of the upstream move nothing", async () => {
    const { clock, script, limit, ask } = limited({ concurrency: 2, queue: 0 });
    const controller = new AbortController();
    const left = ask.outcome("left", { signal: controller.signal });
    const broken = ask.outcome("broken");
    await script.next();
    const second = await script.next();
    expect(await ask.outcome("full")).toMatchObject({
      status: "refused",
      refusal: { by: "account", code: "BULKHEAD_FULL" },
    });
    controller.abort("left");
    second.fail(new Error("503"));
    await Promise.all([left, broken]);
    await clock.settle();
    expect(limit.snapshot?.()).toMatchObject({ limit: 2 });
  });

  it("keys have limits of their own", async () => {
    const { script, limit, ask } = limited({ key: (request) => request });
    const flash = ask.outcome("flash");
    const pro = ask.outcome("pro");
    const first = await script.next();
    const second = await script.next();
    first.fail(new Error("429"), { ...busy, limit: 3 });
    second.answer("ok");
    await Promise.all([flash, pro]);
    expect(limit.snapshot?.()).toMatchObject({ limit: { flash: 2, pro: 10 } });
  });

  it("against a server with a limit of 25: settles below it, hardly touches it, and finds out that it is gone", async () => {
    const clock = createTestClock();
    let capacity = 25;
    let out = 0;
    const seen: { readonly at: number; readonly refused: boolean; readonly out: number }[] = [];
    const server = upstream<string, string>(async (_, { call }) => {
      call.mark("dispatched");
      const refused = out >= capacity;
      seen.push({ at: clock.now(), refused, out });
      if (refused) {
        await call.sleep(100);
        throw Object.assign(new Error(`concurrency limit of ${capacity}`), { status: 429 });
      }
      out++;
      await call.sleep(3_000);
      out--;
      return "ok";
    });
    const limit = adaptive<string>({ concurrency: 500, queue: 5_000, maxWait: "1h" });
    const ask = createClient({ upstream: server, runtime: clock }, limit);
    const asked: (Outcome<string> | Promise<Outcome<string>>)[] = [];
    const arrive = async (seconds: number): Promise<void> => {
      for (let i = 0; i < seconds * 10; i++) {
        asked.push(ask.outcome("x"), ask.outcome("x"));
        await clock.advance(100);
      }
    };
    await arrive(60);
    const share = (from: number, to: number): number => {
      const window = seen.filter(({ at }) => at >= from && at < to);
      return window.filter(({ refused }) => refused).length / window.length;
    };
    expect(share(10_000, 60_000)).toBeLessThan(0.03);
    expect(share(10_000, 60_000)).toBeGreaterThan(0); // it did look whether there is more
    capacity = 10_000;
    await arrive(120);
    await clock.advance(600_000);
    const outcomes: Outcome<string>[] = [];
    for (const each of asked) outcomes.push(await each);
    expect(outcomes.filter(({ status }) => status === "refused")).toEqual([]);
    expect(Math.max(...seen.map((each) => each.out))).toBeGreaterThan(60);
    expect(clock.pending).toBe(0);
  });

  it("grows although nothing succeeds: places may be held by streams that have stalled", async () => {
    const { clock, script, limit, ask, changes } = limited({ maxWait: "1m" });
    for (let i = 0; i < 3; i++) void ask.outcome(`stalled ${i}`);
    const refused = ask.outcome("refused");
    for (let i = 0; i < 3; i++) await script.next();
    await clock.advance(10);
    (await script.next()).fail(new Error("429"), { ...busy, limit: 4 });
    await refused;
    const waiting = ask("waiting");
    await clock.advance(29_000);
    expect(script.calls).toBe(4);
    await clock.advance(1_000);
    (await script.next()).answer("served");
    expect(await waiting).toBe("served");
    expect(changes()).toEqual([
      [10, 3],
      [3, 4],
    ]);
    expect(limit.snapshot?.()).toMatchObject({ queued: {} });
  });

  it("grows past work that has ended and holds its place: whoever waits shows that all of it is used", async () => {
    const clock = createTestClock();
    const busyOrDeaf = upstream<string, string>((request, { call }) => {
      call.mark("dispatched");
      if (request === "429") throw Object.assign(new Error("too many"), { status: 429 });
      return request === "deaf" ? new Promise(() => {}) : "served";
    });
    const limit = adaptive<string>({ concurrency: 10, queue: 1, maxWait: "5m", grace: "10m" });
    const ask = createClient({ upstream: busyOrDeaf, runtime: clock }, limit);
    const controller = new AbortController();
    const deaf = ask.outcome("deaf", { signal: controller.signal });
    await clock.advance(10);
    await ask.outcome("429");
    controller.abort("left");
    expect(await deaf).toMatchObject({ status: "cancelled" });
    const waiting = ask("waits");
    await clock.advance(29_999);
    expect(limit.snapshot?.()).toMatchObject({ limit: 1, active: { "": 1 }, queued: { "": 1 } });
    await clock.advance(1);
    expect(await waiting).toBe("served");
    expect(limit.snapshot?.()).toMatchObject({ limit: 2, queued: {} });
  });

  it("a limit that update() raises calls up who waits", async () => {
    const { script, limit, ask } = limited({ concurrency: 1 });
    const first = ask("first");
    const running = await script.next();
    const second = ask("second");
    limit.update({ concurrency: 2 });
    const next = await script.next();
    expect(next.request).toBe("second");
    next.answer("ok");
    running.answer("ok");
    await Promise.all([first, second]);
  });

  it("bad options say what was given", () => {
    expect(() => adaptive({ concurrency: 2, min: 3 })).toThrow(
      "adaptive: min must not be above concurrency, which is 2; got 3.",
    );
    // @ts-expect-error it is required
    expect(() => adaptive({})).toThrow("concurrency is required");
  });

  it("describes itself, and its description is a configuration", () => {
    const [described] = createPipeline(adaptive({ concurrency: 7 })).describe().policies;
    expect(described).toMatchObject({ kind: "adaptive", options: { concurrency: 7, min: 1, calm: 30_000 } });
    expect(() => adaptive(described?.options as never)).not.toThrow();
  });
});
