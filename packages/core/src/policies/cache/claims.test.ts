// Of several processes that want the same answer one fetches it; the others wait for what comes of that.
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createTestClock, type ScriptedCall, scriptedUpstream } from "../../../../testing/src/index.ts";
import {
  type BreakwaterEvent,
  bulkhead,
  cache,
  type CacheOptions,
  type CacheStore,
  createClient,
  createMemoryCacheStore,
  type MaybePromise,
  type Outcome,
  RefusedError,
  TimedOutError,
  UpstreamError,
} from "../../index.ts";
import { createSharedAnswers, LEASE_MS } from "./claims.test-help.ts";

type Answer = string | AsyncIterable<string>;

function fleet(
  size: number,
  { delayMs = 0, ...options }: Partial<CacheOptions<string, Answer>> & { delayMs?: number } = {},
) {
  const clock = createTestClock();
  const shared = createSharedAnswers(clock, delayMs);
  const script = scriptedUpstream<string, Answer>();
  const events: BreakwaterEvent[] = [];
  const processes = Array.from({ length: size }, (_, n) => {
    const store = shared.of(`${n}`);
    const policy = cache<string, Answer>({
      name: "answers",
      ttl: "10s",
      ttlJitter: 0,
      key: (q) => q,
      shared: true,
      store,
      ...options,
    });
    const ask = createClient<string, Answer>({ upstream: script.upstream, runtime: clock }, policy);
    ask.on((event) => events.push(event));
    return { ask, policy };
  });
  const [one, two, three] = processes as [Process, Process, Process];
  type Process = (typeof processes)[number];
  return {
    clock,
    shared,
    script,
    events,
    processes,
    one,
    two,
    three,
    /** Nothing runs, waits, is claimed or armed any more. */
    async quiet() {
      await clock.advance(20);
      for (const { policy, ask } of processes) {
        expect(policy.snapshot().flights).toBe(0);
        expect(ask.snapshot().inFlight).toBe(0);
      }
      expect(script.active).toBe(0);
      expect(shared.claims).toBe(0);
      expect(clock.pending).toBe(0);
    },
  };
}

async function read(value: Answer): Promise<string[]> {
  const items: string[] = [];
  for await (const item of value as AsyncIterable<string>) items.push(item);
  return items;
}

async function all<T>(outcomes: readonly MaybePromise<T>[]): Promise<T[]> {
  return Promise.all(outcomes.map(async (outcome) => outcome));
}

describe("an answer that several processes want", () => {
  it("is fetched by one of them, once", async () => {
    const { processes, script, clock, events, quiet } = fleet(3, { delayMs: 2 });
    const asked = processes.flatMap(({ ask }) => [ask.full("q"), ask.full("q")]);
    await clock.advance(10);
    expect(script.calls).toBe(1);
    (await script.next()).answer("done");
    const full = await clock.until(Promise.all(asked));
    expect(full.map(({ value }) => value)).toEqual(Array(6).fill("done"));
    expect(full.map(({ meta }) => meta.cache)).toEqual(["miss", "join", "join", "join", "join", "join"]);
    expect(full.map(({ meta }) => meta.attempts)).toEqual([1, 0, 0, 0, 0, 0]);
    expect(events.filter(({ type }) => type === "cache-read")).toHaveLength(6);
    expect(processes.map(({ policy }) => policy.snapshot().misses)).toEqual([1, 0, 0]);
    await quiet();
  });

  it("is a hit afterwards, everywhere", async () => {
    const { one, two, script, quiet } = fleet(2);
    const asked = one.ask("q");
    (await script.next()).answer("done");
    await asked;
    expect(await two.ask.full("q")).toMatchObject({ value: "done", meta: { cache: "hit", attempts: 0 } });
    expect(script.calls).toBe(1);
    await quiet();
  });

  it("comes to those who wait when a stream is complete, as a stream", async () => {
    const { one, two, script, clock, quiet } = fleet(2);
    const first = one.ask("q");
    const second = two.ask.full("q");
    const source = (await script.next()).stream("a");
    const reading = read(await first);
    await clock.advance(100);
    source.push("b");
    source.end();
    expect(await reading).toEqual(["a", "b"]);
    const { value, meta } = await clock.until(second);
    expect(meta.cache).toBe("join");
    expect(await read(value)).toEqual(["a", "b"]);
    expect(script.calls).toBe(1);
    await quiet();
  });

  it("is what one failure tells all: of the same class, with what is known of it", async () => {
    const { processes, script, clock, quiet } = fleet(3, { delayMs: 1 });
    const asked = processes.map(({ ask }) => ask.outcome("q"));
    await clock.advance(5);
    const error = new UpstreamError("OVERLOADED", "busy", {
      status: 503,
      retryable: true,
      retryAfterMs: 700,
      traceId: "t",
      body: { secret: "what was asked" },
    });
    (await script.next()).fail(error, {
      fault: "upstream",
      retryable: true,
      scope: "host",
      retryAfterMs: 700,
    });
    const outcomes = await clock.until(all(asked));
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        status: "failed",
        fault: "upstream",
        retryable: true,
        retryAfterMs: 700,
        scope: "host",
      });
      const told = (outcome as { error: unknown }).error;
      expect(told).toMatchObject({
        code: "OVERLOADED",
        message: "busy",
        status: 503,
        retryAfterMs: 700,
        traceId: "t",
      });
      expect(UpstreamError.isInstance(told)).toBe(true);
    }
    expect(outcomes.slice(1).map((o) => (o as { error: UpstreamError }).error.body)).toEqual([
      undefined,
      undefined,
    ]);
    expect(script.calls).toBe(1);
    await quiet();
  });

  it("fails elsewhere as the clock or the plain error that it was", async () => {
    const { one, two, script, clock, quiet } = fleet(2);
    for (const error of [
      new TimedOutError("firstToken", 60_000),
      Object.assign(new RangeError("too long"), { status: 413, code: "TOO_LONG" }),
    ]) {
      const asked = [one.ask.outcome("q"), two.ask.outcome("q")];
      (await script.next()).throw(error);
      const [ours, theirs] = (await clock.until(all(asked))) as [Outcome<never>, Outcome<never>];
      expect(theirs).toMatchObject({
        ...ours,
        error: { name: error.name, message: error.message, code: error.code },
        meta: {},
      });
    }
    await quiet();
  });

  it("is asked for anew by who comes after a failure", async () => {
    const { one, two, script, clock, quiet } = fleet(2);
    const failing = one.ask.outcome("q");
    (await script.next()).fail(new Error("no"));
    await failing;
    const again = two.ask("q");
    await clock.settle();
    (await script.next()).answer("yes");
    expect(await again).toBe("yes");
    await quiet();
  });

  it("is fetched by exactly one other if nothing came of the first: all his callers left", async () => {
    const { one, two, three, script, clock, quiet } = fleet(3);
    const controller = new AbortController();
    const first = one.ask.outcome("q", { signal: controller.signal });
    const others = [two.ask("q"), three.ask("q")];
    const call = await script.next();
    controller.abort("left");
    expect(await first).toMatchObject({ status: "cancelled" });
    expect(call.call.aborted).toBe(true);
    await clock.settle();
    expect(script.calls).toBe(2);
    (await script.next()).answer("done");
    expect(await clock.until(Promise.all(others))).toEqual(["done", "done"]);
    expect(script.calls).toBe(2);
    call.answer("too late");
    await quiet();
  });

  it("goes to one after the other through what stands inside, if that refuses", async () => {
    const clock = createTestClock();
    const shared = createSharedAnswers(clock);
    const script = scriptedUpstream<string, string>();
    const room = bulkhead({ concurrency: 1, queue: 0 });
    const asks = ["a", "b"].map((process) =>
      createClient<string, string>(
        { upstream: script.upstream, runtime: clock },
        cache({ name: "answers", ttl: 100, key: (q) => q, shared: true, store: shared.of(process) }),
        room,
      ),
    );
    const busy = asks[0]?.("other");
    const other = await script.next();
    const outcomes = await clock.until(all(asks.map((ask) => ask.outcome("q"))));
    expect(outcomes.map(({ status }) => status)).toEqual(["refused", "refused"]);
    other.answer("done");
    await busy;
    expect(shared.claims).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("is fetched by each for himself if it is not for others", async () => {
    const { processes, script, clock, quiet } = fleet(3, { storable: () => false });
    const asked = processes.map(({ ask }) => ask("q"));
    (await script.next()).answer("0");
    await clock.settle();
    expect(script.calls).toBe(3); // at once: nothing is gained by one after the other
    for (const n of [1, 2]) (await script.next()).answer(`${n}`);
    expect(new Set(await clock.until(Promise.all(asked)))).toEqual(new Set(["0", "1", "2"]));
    await quiet();
  });

  it("is fetched by another when the process that fetches is not heard of any more", async () => {
    const { one, two, three, script, shared, clock } = fleet(3);
    void one.ask.outcome("q");
    const others = [two.ask("q"), three.ask("q")];
    await clock.settle();
    shared.kill("0");
    await clock.advance(LEASE_MS - 1);
    expect(script.calls).toBe(1);
    await clock.advance(1);
    expect(script.calls).toBe(2);
    const late = await script.next();
    (await script.next()).answer("theirs");
    expect(await clock.until(Promise.all(others))).toEqual(["theirs", "theirs"]);
    late.answer("mine");
    await clock.settle();
    expect(await two.ask("q")).toBe("theirs");
    expect(script.calls).toBe(2);
  });

  it("that was deleted meanwhile is fetched anew by who waited, and kept", async () => {
    const { one, two, three, script, clock, quiet } = fleet(3);
    const first = one.ask("q");
    const second = two.ask("q");
    const before = await script.next();
    await two.policy.delete("q");
    await clock.settle();
    expect(script.calls).toBe(2);
    before.answer("from before");
    expect(await first).toBe("from before");
    (await script.next()).answer("from after");
    expect(await second).toBe("from after");
    expect(await three.ask("q")).toBe("from after");
    expect(script.calls).toBe(2);
    await quiet();
  });

  it("is not waited for if it would not be kept", async () => {
    const { processes, script, clock, quiet } = fleet(2, { ttl: 0 });
    const asked = processes.map(({ ask }) => ask("q"));
    await clock.settle();
    expect(script.calls).toBe(2);
    for (const answer of ["a", "b"]) (await script.next()).answer(answer);
    expect(await Promise.all(asked)).toEqual(["a", "b"]);
    await quiet();
  });

  it("is waited for as long as maxWait says, then asked for all the same", async () => {
    const { one, two, script, clock, quiet } = fleet(2, { maxWait: "2s" });
    const first = one.ask("q");
    const second = two.ask("q");
    await clock.advance(1_999);
    expect(script.calls).toBe(1);
    await clock.advance(1);
    expect(script.calls).toBe(2);
    const [a, b] = [await script.next(), await script.next()];
    b.answer("second");
    expect(await second).toBe("second");
    a.answer("first");
    expect(await first).toBe("first");
    await quiet();
  });

  it("is not waited for any more by who leaves, or has no time", async () => {
    const { one, two, three, script, clock, quiet } = fleet(3);
    const first = one.ask("q");
    const call = await script.next();
    const controller = new AbortController();
    const left = two.ask.outcome("q", { signal: controller.signal });
    const late = three.ask.outcome("q", { deadline: 50 });
    controller.abort("left");
    expect(await left).toMatchObject({ status: "cancelled", reason: "left" });
    await clock.advance(50);
    expect(await late).toMatchObject({ status: "failed", error: { clock: "deadline" } });
    call.answer("done");
    await first;
    expect(script.calls).toBe(1);
    await quiet();
  });

  it("is fetched by each for himself while the store cannot say whose turn it is", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, string>();
    const events: BreakwaterEvent[] = [];
    const asks = [() => undefined, () => Promise.reject(new Error("away"))].map((claim) => {
      const store: CacheStore = { ...createMemoryCacheStore(), claim };
      const policy = cache<string, string>({ ttl: "1s", key: (q) => q, shared: true, store });
      const ask = createClient({ upstream: script.upstream, runtime: clock }, policy);
      ask.on((event) => events.push(event));
      return ask;
    });
    const asked = asks.map((ask) => ask("q"));
    await clock.settle();
    for (const answer of ["a", "b"]) (await script.next()).answer(answer);
    expect(await Promise.all(asked)).toEqual(["a", "b"]);
    expect(events.filter(({ type }) => type === "store-fail")).toMatchObject([
      { error: { message: "away" } },
    ]);
  });
});

describe("a stale answer that several processes have", () => {
  const stale = { ttl: 100, staleWhileRevalidate: "1m", staleIfError: "1m" } as const;

  async function aged(size: number) {
    const world = fleet(size, { ...stale, delayMs: 1 });
    const asked = world.one.ask("q");
    await world.clock.advance(10);
    (await world.script.next()).answer("old");
    await world.clock.until(asked);
    await world.clock.advance(200);
    return world;
  }

  it("is refreshed by one of them", async () => {
    const { processes, script, clock, events, quiet } = await aged(3);
    const asked = processes.map(({ ask }) => ask("q"));
    expect(await clock.until(Promise.all(asked))).toEqual(["old", "old", "old"]);
    await clock.advance(10);
    expect(script.calls).toBe(2);
    (await script.next()).answer("new");
    await clock.advance(10);
    const again = processes.map(({ ask }) => ask("q"));
    expect(await clock.until(Promise.all(again))).toEqual(["new", "new", "new"]);
    expect(events.filter(({ type }) => type === "cache-refresh")).toMatchObject([{ ok: true }]);
    await quiet();
  });

  it("is not tried again by the others soon after one has failed to refresh it", async () => {
    const { one, two, three, script, clock, quiet } = await aged(3);
    expect(await clock.until(one.ask("q"))).toBe("old");
    await clock.advance(5);
    (await script.next()).fail(new Error("no"));
    await clock.advance(5);
    expect(await clock.until(Promise.all([two.ask("q"), three.ask("q")]))).toEqual(["old", "old"]);
    await clock.advance(1_500);
    expect(await clock.until(two.ask("q"))).toBe("old");
    await clock.advance(10);
    expect(script.calls).toBe(2);
    await quiet();
  });

  it("covers the failure of another process", async () => {
    const { one, two, script, clock, quiet } = await aged(2);
    await clock.advance(70_000); // past both: kept no longer
    const asked = [one.ask.outcome("q"), two.ask.outcome("q")];
    await clock.advance(5);
    (await script.next()).fail(new Error("no"));
    expect((await clock.until(all(asked))).map(({ status }) => status)).toEqual(["failed", "failed"]);
    await quiet();
    const world = fleet(2, { ttl: 100, staleIfError: "1m", delayMs: 1 });
    const first = world.one.ask("q");
    await world.clock.advance(10);
    (await world.script.next()).answer("old");
    await world.clock.until(first);
    await world.clock.advance(200);
    const covered = [world.one.ask.full("q"), world.two.ask.full("q")];
    await world.clock.advance(5);
    expect(world.script.calls).toBe(2);
    (await world.script.next()).fail(new Error("no"));
    expect(await world.clock.until(Promise.all(covered))).toMatchObject([
      { value: "old", meta: { cache: "stale", degraded: true } },
      { value: "old", meta: { cache: "stale", degraded: true } },
    ]);
    await world.quiet();
  });
});

describe("options over a store that processes share", () => {
  const store = createSharedAnswers(createTestClock()).of("a");
  it("needs a name, and says so", () => {
    expect(() => cache({ ttl: 1, store })).toThrow(/name is required with a shared store/);
  });
  it("takes maxWait where somebody may be waited for alone", () => {
    expect(() => cache({ ttl: 1, maxWait: 5 })).toThrow(/maxWait is about other processes/);
    expect(() => cache({ name: "a", ttl: 1, store, singleFlight: false, maxWait: 5 })).toThrow(
      /without singleFlight/,
    );
    expect(cache({ name: "a", ttl: 1, store }).describe?.()).toMatchObject({ maxWait: 30_000 });
  });
});

const which = fc.nat({ max: 1_000 });
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("ask" as const),
      process: fc.nat({ max: 3 }),
      key: fc.constantFrom("a", "a", "b"),
      deadline: fc.option(fc.integer({ min: 0, max: 400 }), { nil: undefined, freq: 4 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("answer" as const, "answer", "fail", "refuse", "stream"),
      which,
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("abort" as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("delete" as const), process: fc.nat({ max: 3 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 120 }) }),
  },
);

describe("processes that want the same answers", () => {
  it(
    "each get one, one process fetches at a time, and nothing is left behind",
    { timeout: 60_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: 10, maxLength: 60, size: "max" }),
          fc.constantFrom(0, 3),
          fc.boolean(),
          async (steps, delayMs, stale) => {
            const windows = stale ? { staleWhileRevalidate: 100, staleIfError: 200 } : {};
            const world = fleet(4, { delayMs, ttl: 100, maxWait: "1h", ...windows });
            const { clock, script, processes } = world;
            const attempts: { call: ScriptedCall<string, Answer>; over: boolean }[] = [];
            void (async () => {
              for (;;) attempts.push({ call: await script.next(), over: false });
            })();
            const running = () => attempts.filter(({ call, over }) => !over && !call.call.aborted);
            const askers: {
              key: string;
              controller: AbortController;
              outcome?: Outcome<Answer>;
              deadline: number | undefined;
            }[] = [];
            let deleted = false;
            const conclude = async (how: string, at: number): Promise<void> => {
              const open = attempts.filter(({ over }) => !over);
              const attempt = open[at % open.length];
              if (attempt === undefined) return;
              attempt.over = true;
              const { call } = attempt;
              if (how === "fail") call.fail(new Error(call.request));
              else if (how === "refuse") call.throw(new RefusedError({ by: "test", code: "NO" }));
              else if (how === "stream") {
                const source = call.stream(call.request);
                source.end();
              } else call.answer(call.request);
            };
            for (const one of steps) {
              if (one.do === "ask") {
                const asker: (typeof askers)[number] = {
                  key: one.key,
                  controller: new AbortController(),
                  deadline: one.deadline,
                };
                askers.push(asker);
                const asked = processes[one.process]?.ask.outcome(one.key, {
                  signal: asker.controller.signal,
                  deadline: one.deadline,
                });
                void Promise.resolve(asked as Outcome<Answer>).then(async (outcome) => {
                  asker.outcome = outcome;
                  if (outcome.status === "answered" && typeof outcome.value !== "string")
                    expect(await read(outcome.value)).toEqual([one.key]);
                });
              } else if (one.do === "abort")
                askers[one.which % Math.max(1, askers.length)]?.controller.abort("left");
              else if (one.do === "delete") {
                deleted = true;
                void processes[one.process]?.policy.delete("a");
              } else if (one.do === "advance") await clock.advance(one.ms);
              else await conclude(one.do, one.which);
              await clock.settle();
              if (!deleted)
                for (const key of ["a", "b"])
                  expect(running().filter(({ call }) => call.request === key).length).toBeLessThanOrEqual(1);
            }
            for (let turn = 0; turn < 200 && askers.some(({ outcome }) => outcome === undefined); turn++) {
              await clock.advance(50);
              await conclude("answer", 0);
            }
            for (const { key, outcome, controller, deadline } of askers) {
              if (outcome?.status === "answered") {
                if (typeof outcome.value === "string") expect(outcome.value).toBe(key);
              } else if (outcome?.status === "failed") {
                if (deadline === undefined) expect((outcome.error as Error).message).toBe(key);
              } else if (outcome?.status === "cancelled") expect(controller.signal.aborted).toBe(true);
              else expect(outcome?.status).toBe("refused");
            }
            for (const attempt of attempts) if (!attempt.over) attempt.call.answer("nobody wants it");
            await clock.advance(700_000);
            await world.quiet();
          },
        ),
        { numRuns: 200, seed: 20_261_121 },
      );
    },
  );
});
