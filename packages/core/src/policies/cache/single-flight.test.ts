import { describe, expect, it } from "vitest";

import { createTestClock, type ScriptedCall, scriptedUpstream } from "../../../../testing/src/index.ts";
import {
  type BreakwaterEvent,
  bulkhead,
  cache,
  type CacheOptions,
  type Call,
  createClient,
  type Ending,
  guard,
  isPromise,
  type Outcome,
  type Policy,
  relay,
  retry,
  StalledReaderError,
  TimedOutError,
  timeout,
  upstream,
} from "../../index.ts";
import { LaggingReaderError } from "./shared-log.ts";

type Answer = unknown;

function setup(options: Partial<CacheOptions<string, Answer>> = {}, ...inside: Policy[]) {
  const clock = createTestClock();
  const script = scriptedUpstream<string, Answer>();
  const policy = cache<string, Answer>({ ttl: "10s", ttlJitter: 0, key: (q) => q, shared: true, ...options });
  const ask = createClient<string, Answer>({ upstream: script.upstream, runtime: clock }, policy, ...inside);
  const events: BreakwaterEvent[] = [];
  ask.on((event) => events.push(event));
  /** Nothing runs, waits or is armed any more. */
  const quiet = async (): Promise<void> => {
    await clock.settle();
    expect(policy.snapshot().flights).toBe(0);
    expect(ask.snapshot().inFlight).toBe(0);
    expect(script.active).toBe(0);
    expect(clock.pending).toBe(0);
  };
  return { clock, script, policy, ask, events, quiet };
}

async function read(value: unknown): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const item of value as AsyncIterable<unknown>) items.push(item);
  return items;
}

function iterator(value: unknown): AsyncIterator<unknown> {
  return (value as AsyncIterable<unknown>)[Symbol.asyncIterator]();
}

/** Answers a call in one of two ways; `whole` reads what came of it. */
const ways = [
  {
    way: "an asynchronous upstream",
    answer: (call: ScriptedCall<string, Answer>) => call.answer("done"),
    whole: async (value: unknown) => value,
  },
  {
    way: "a streamed upstream",
    answer: (call: ScriptedCall<string, Answer>) => {
      const source = call.stream("not yet");
      source.push("done");
      source.end();
    },
    whole: async (value: unknown) => (await read(value)).at(-1),
  },
];

describe.each(ways)("single-flight over $way", ({ answer, whole }) => {
  it("lets those who ask the same at the same time share one attempt, one permit and one answer", async () => {
    const { ask, script, policy, events, quiet } = setup({}, bulkhead({ concurrency: 1 }));
    const asked = [1, 2, 3].map(() => ask.full("q"));
    answer(await script.next());
    const full = await Promise.all(asked);
    expect(await Promise.all(full.map(({ value }) => whole(value)))).toEqual(["done", "done", "done"]);
    expect(full.map(({ meta }) => [meta.cache, meta.attempts])).toEqual([
      ["miss", 1],
      ["join", 0],
      ["join", 0],
    ]);
    expect(new Set(full.map(({ meta }) => meta.callId)).size).toBe(3);
    expect(script.calls).toBe(1);
    expect(policy.snapshot()).toMatchObject({ misses: 1, joins: 2, entries: 1 });
    expect(events.filter((event) => event.type === "cache-read")).toMatchObject([
      { result: "miss" },
      { result: "join" },
      { result: "join" },
    ]);
    await quiet();
  });

  it("trap 69: the leader's abort does not fail those who joined", async () => {
    const { ask, script, quiet } = setup();
    const controller = new AbortController();
    const leader = ask.outcome("q", { signal: controller.signal });
    const follower = ask("q");
    const call = await script.next();
    const reason = new Error("tab closed");
    controller.abort(reason);
    expect(await leader).toMatchObject({ status: "cancelled", reason });
    expect(call.call.aborted).toBe(false);
    answer(call);
    expect(await whole(await follower)).toBe("done");
    await quiet();
  });

  it("trap 69: the last one who leaves aborts the attempt, and who comes then begins anew", async () => {
    const { ask, script, quiet } = setup();
    const controllers = [new AbortController(), new AbortController(), new AbortController()];
    const asked = controllers.map(async ({ signal }) => ask.outcome("q", { signal }));
    const call = await script.next();
    for (const controller of controllers) {
      expect(call.call.aborted).toBe(false);
      controller.abort("left");
    }
    expect(call.call.aborted).toBe(true);
    expect(await Promise.all(asked)).toMatchObject(
      asked.map(() => ({ status: "cancelled", reason: "left" })),
    );
    call.throw(call.call.reason);
    const again = ask("q");
    answer(await script.next());
    expect(await whole(await again)).toBe("done");
    expect(script.calls).toBe(2);
    await quiet();
  });

  it("trap 69: each has his own deadline, and the attempt the latest of them", async () => {
    const { ask, script, clock, quiet } = setup({}, timeout({ total: "1m" }), retry());
    const short = ask.outcome("q", { deadline: "1s" });
    const scripted = await script.next();
    const { call } = scripted;
    expect(call.deadline).toBe(1_000);
    const long = ask.outcome("q", { deadline: "5s" });
    expect(call.deadline).toBe(5_000);
    const forEver = ask.outcome("q");
    expect(call.deadline).toBe(60_000); // what bounds it inside still does
    await clock.advance(1_000);
    expect(await short).toMatchObject({ status: "failed", fault: "caller" });
    expect(call.aborted).toBe(false);
    await clock.advance(4_000);
    expect(await long).toMatchObject({ status: "failed", error: { clock: "deadline" } });
    await clock.advance(55_000);
    expect(await forEver).toMatchObject({ status: "failed", error: { clock: "total" } });
    expect(call.aborted).toBe(true);
    scripted.throw(call.reason);
    await quiet();
  });

  it("fails all with the same error, once: nobody asks again", async () => {
    const { ask, script, quiet } = setup();
    const asked = [1, 2, 3].map(async () => ask.outcome("q"));
    const error = new Error("503");
    (await script.next()).fail(error, { scope: "host", retryAfterMs: 7 });
    for (const outcome of await Promise.all(asked)) {
      expect(outcome).toMatchObject({ status: "failed", fault: "upstream", scope: "host", retryAfterMs: 7 });
      expect((outcome as { error: unknown }).error).toBe(error);
    }
    expect(script.calls).toBe(1);
    await quiet();
  });

  it("is drained by close()", async () => {
    const { ask, script, clock } = setup({ staleWhileRevalidate: "1m" });
    const first = ask("q");
    answer(await script.next());
    await whole(await first);
    await clock.advance(11_000);
    await whole(await ask("q"));
    const { call } = await script.next();
    expect(ask.snapshot().inFlight).toBe(1);
    let closed = false;
    void ask.close().then(() => (closed = true));
    await clock.advance(999);
    expect([call.aborted, closed]).toEqual([false, false]);
    await clock.advance(1);
    expect(call.aborted).toBe(true);
    await clock.advance(5_000); // for work that is deaf
    expect(closed).toBe(true);
  });

  it("shares nothing when told so", async () => {
    const { ask, script, quiet } = setup({ singleFlight: false });
    const asked = [ask("q"), ask("q")];
    answer(await script.next());
    answer(await script.next());
    expect(await Promise.all((await Promise.all(asked)).map(whole))).toEqual(["done", "done"]);
    await quiet();
  });

  it("keeps tenants apart, and shares nothing without one", async () => {
    const { ask, script, clock } = setup({ shared: false });
    const asked = [
      ask("q", { tenant: "a" }),
      ask("q", { tenant: "b" }),
      ask("q"),
      ask("q"),
      ask("q", { tenant: "a" }),
    ];
    await clock.settle();
    expect(script.calls).toBe(4);
    for (let i = 0; i < 4; i++) answer(await script.next());
    await Promise.all((await Promise.all(asked)).map(whole));
  });

  it("joins a refresh once the stale answer is of no use", async () => {
    const { ask, script, clock, quiet } = setup({ staleWhileRevalidate: "5s" });
    const first = ask("q");
    answer(await script.next());
    await whole(await first);
    await clock.advance(12_000);
    // Nobody waits for it while the stale answer is of use.
    for (let i = 0; i < 3; i++) expect(await whole(await ask("q"))).toBe("done");
    await clock.advance(4_000);
    const joined = ask.full("q");
    answer(await script.next());
    const { value, meta } = await joined;
    expect(await whole(value)).toBe("done");
    expect(meta.cache).toBe("join");
    expect(script.calls).toBe(2);
    await quiet();
  });

  it("gives up a refresh that nobody waits for after ten minutes", async () => {
    const { ask, script, clock } = setup({ staleWhileRevalidate: "1h" });
    const first = ask("q");
    answer(await script.next());
    await whole(await first);
    await clock.advance(10_000);
    await whole(await ask("q"));
    const { call } = await script.next();
    expect(call.deadline).toBe(Infinity);
    await clock.advance(599_999);
    expect(call.aborted).toBe(false);
    await clock.advance(1);
    expect(call.aborted).toBe(true);
  });
});

describe("single-flight", () => {
  it("trap 71: the first one gets the answer itself, the others copies of what it was before he had it", async () => {
    const { ask, script } = setup();
    const asked = [ask("q"), ask("q")] as Promise<{ list: number[] }>[];
    const value = { list: [1] };
    (await script.next()).answer(value);
    const [first, second] = (await Promise.all(asked)) as [{ list: number[] }, { list: number[] }];
    expect(first).toBe(value);
    expect(second).not.toBe(value);
    expect(second).toEqual({ list: [1] });
  });

  it("lets those ask by themselves whose answer cannot be copied", async () => {
    const { ask, script, events, quiet } = setup();
    const asked = [ask.full("q"), ask.full("q")];
    const answers = [new URL("http://a.test"), new URL("http://b.test")];
    (await script.next()).answer(answers[0]);
    (await script.next()).answer(answers[1]);
    const full = await Promise.all(asked);
    expect(full.map(({ value }) => value)).toEqual(answers);
    expect(full[0]?.value).toBe(answers[0]);
    expect(full.map(({ meta }) => [meta.cache, meta.attempts])).toEqual([
      ["miss", 1],
      ["miss", 1],
    ]);
    expect(events.filter((event) => event.type === "hint")).toHaveLength(1);
    await quiet();
  });

  it("replays to who comes late, and then goes on with him", async () => {
    const { ask, script, quiet } = setup();
    const leader = ask("q");
    const source = (await script.next()).stream(1);
    const early = iterator(await leader);
    source.push(2);
    expect([await early.next(), await early.next()].map(({ value }) => value as number)).toEqual([1, 2]);
    const outcome = ask.outcome("q");
    expect(isPromise(outcome)).toBe(false);
    const late = iterator((outcome as { value: unknown }).value);
    expect([await late.next(), await late.next()].map(({ value }) => value as number)).toEqual([1, 2]);
    const next = [early.next(), late.next()];
    source.push(3);
    expect((await Promise.all(next)).map(({ value }) => value as number)).toEqual([3, 3]);
    source.end();
    expect([(await early.next()).done, (await late.next()).done]).toEqual([true, true]);
    await quiet();
  });

  it("lets no slow reader slow the others, and reads on for him when they are gone", async () => {
    const { ask, script, quiet } = setup();
    const asked = [ask("q"), ask("q")];
    const source = (await script.next()).stream(0);
    const [slow, fast] = await Promise.all(asked);
    for (let i = 1; i < 100; i++) source.push(i);
    source.end();
    const all = Array.from({ length: 100 }, (_, i) => i);
    expect(await read(fast)).toEqual(all);
    expect(await read(slow)).toEqual(all);
    await quiet();
  });

  it("leaving a stream ends it for nobody else; the last one who leaves ends it for all", async () => {
    const { ask, script, clock, quiet } = setup();
    const asked = [ask("q"), ask("q")];
    const source = (await script.next()).stream(0);
    const [first, second] = (await Promise.all(asked)).map(iterator);
    await first?.next();
    await first?.return?.();
    await clock.settle();
    expect(source.stopped).toBe(false);
    expect((await second?.next())?.value).toBe(0);
    await second?.return?.();
    await clock.settle();
    expect(source.stopped).toBe(true);
    await quiet();
  });

  it("an abort ends one reader's stream, with his reason", async () => {
    const { ask, script, quiet } = setup();
    const controller = new AbortController();
    const asked = [ask("q", { signal: controller.signal }), ask("q")];
    const source = (await script.next()).stream(0);
    const [first, second] = (await Promise.all(asked)).map(iterator);
    await Promise.all([first?.next(), second?.next()]);
    const reading = first?.next().catch((error: unknown) => error);
    controller.abort("enough");
    expect(await reading).toBe("enough");
    source.push(1);
    expect((await second?.next())?.value).toBe(1);
    source.end();
    expect((await second?.next())?.done).toBe(true);
    await quiet();
  });

  it("who falls asleep over his stream loses it alone", async () => {
    const { ask, script, clock, quiet } = setup();
    const asked = [ask("q"), ask("q")];
    const source = (await script.next()).stream(0);
    const [asleep, awake] = (await Promise.all(asked)).map(iterator);
    for (let i = 1; i < 4; i++) {
      await awake?.next();
      source.push(i);
      await clock.advance(30_000);
    }
    await expect(asleep?.next()).rejects.toBeInstanceOf(StalledReaderError);
    source.end();
    for (let i = 0; i < 2; i++) await awake?.next();
    await quiet();
  });

  it("a stream that breaks gives each reader all there was and then the same error, judged once", async () => {
    const { ask, script, events, quiet } = setup();
    const asked = [ask("q"), ask("q")];
    const source = (await script.next()).stream(0);
    const [first, second] = (await Promise.all(asked)).map(iterator);
    source.push(1);
    const error = Object.assign(new Error("reset"), { status: 429 });
    source.fail(error);
    for (const reader of [first, second]) {
      expect([(await reader?.next())?.value, (await reader?.next())?.value]).toEqual([0, 1]);
      await expect(reader?.next()).rejects.toBe(error);
    }
    const ends = events.filter((event) => event.type === "call-end");
    expect(ends).toMatchObject(asked.map(() => ({ ending: { status: "failed", fault: "overload" } })));
    await quiet();
  });

  it("a clock inside fails all, as the upstream's fault; it is the same error for all", async () => {
    const { ask, script, clock, events } = setup({}, timeout({ idle: "2s" }));
    const asked = [ask("q"), ask("q")];
    (await script.next()).stream(0);
    const readers = (await Promise.all(asked)).map(iterator);
    for (const reader of readers) await reader.next();
    const errors = readers.map((reader) => reader.next().catch((error: unknown) => error));
    await clock.advance(2_000);
    const [first, second] = await Promise.all(errors);
    expect(first).toBeInstanceOf(TimedOutError);
    expect(first).toBe(second);
    const ends = events.filter((event) => event.type === "call-end");
    expect(ends).toMatchObject(asked.map(() => ({ ending: { status: "failed", fault: "upstream" } })));
  });

  it("whoever judged a broken stream has judged it for all", async () => {
    const { ask, script, events } = setup();
    const asked = [ask("q"), ask("q")];
    const scripted = await script.next();
    scripted.stream(0);
    const readers = (await Promise.all(asked)).map(iterator);
    for (const reader of readers) await reader.next();
    const error = new Error("too many");
    scripted.call.abort(error, {
      status: "failed",
      error,
      fault: "overload",
      retryable: false,
      scope: "key",
    });
    for (const reader of readers) await expect(reader.next()).rejects.toBe(error);
    const ends = events.filter((event) => event.type === "call-end");
    expect(ends).toMatchObject(
      asked.map(() => ({ ending: { fault: "overload", scope: "key", retryable: false } })),
    );
  });

  it("who joins before it is sent counts no attempt, and the leader's wait is his alone", async () => {
    const { ask, script, clock, quiet } = setup({}, bulkhead({ concurrency: 1, queue: 1 }));
    const other = ask("other");
    const running = await script.next();
    const asked = [ask.full("q"), ask.full("q")];
    await clock.advance(50);
    running.answer("other");
    (await script.next()).answer("q");
    const [leads, joins] = await Promise.all(asked);
    expect(leads?.meta).toMatchObject({ attempts: 1, waitedMs: 50 });
    expect(joins?.meta.attempts).toBe(0);
    expect(joins?.meta.waitedMs).toBeUndefined();
    await other;
    await quiet();
  });

  it("tells no progress that a reader has not read, and the leader what the end told", async () => {
    const clock = createTestClock();
    let tokens = 0;
    const outside = guard("outside", {
      name: "outside",
      admit(call) {
        call.watch((mark) => void (mark === "token" && tokens++));
        return undefined;
      },
    });
    const ask = createClient<string, unknown>(
      {
        upstream: upstream((_: string, { call }): unknown =>
          (async function* () {
            yield* [1, 2, 3];
            call.usage = { totalTokens: 9 };
          })(),
        ),
        runtime: clock,
      },
      outside,
      cache({ ttl: "1m", key: (q: string) => q, shared: true }),
    );
    const endings: unknown[] = [];
    ask.on((event) => event.type === "call-end" && endings.push(event.ending.usage));
    const asked = [ask("q"), ask("q")];
    const [first, second] = await Promise.all(asked);
    await clock.settle();
    expect(tokens).toBe(2);
    await Promise.all([read(first), read(second)]);
    expect(endings).toEqual([{ totalTokens: 9 }, undefined]);
  });

  it("gives up a refresh that is too long to be kept", async () => {
    const { ask, script, policy, clock, quiet } = setup({ staleWhileRevalidate: "1m" });
    expect(policy.warm("q", "old")).toBe(true);
    await clock.advance(11_000);
    expect(await ask("q")).toBe("old");
    const scripted = await script.next();
    const source = scripted.stream("x".repeat(1024 * 1024));
    await clock.settle();
    expect(source.stopped).toBe(false);
    source.push("x".repeat(1024 * 1024 + 1));
    await clock.settle();
    expect(source.stopped).toBe(true);
    await quiet();
  });

  it("a refresh has time of its own, and who joined it his own stale answer", async () => {
    const { ask, script, policy, clock, quiet } = setup({ staleWhileRevalidate: "1s", staleIfError: "1m" });
    expect(policy.warm("q", "old")).toBe(true);
    await clock.advance(10_500);
    expect(await ask("q", { deadline: "1s" })).toBe("old");
    const scripted = await script.next();
    expect(scripted.call.deadline).toBe(610_500);
    await clock.advance(1_000);
    const joined = ask.full("q");
    scripted.fail(new Error("503"));
    expect(await joined).toMatchObject({ value: "old", meta: { cache: "stale", degraded: true } });
    await quiet();
  });

  describe("over a stream of another kind", () => {
    function foreign() {
      const clock = createTestClock();
      const calls: { call: Call<string>; end: (ending: Ending) => void }[] = [];
      const up = (call: Call<string>): Outcome<unknown> => {
        call.mark("dispatched");
        let end: (ending: Ending) => void = () => {};
        const ended = new Promise<Ending>((resolve) => (end = resolve));
        calls.push({ call, end });
        return { status: "answered", value: { body: calls.length }, meta: call.meta, end: ended };
      };
      const policy = cache<string, unknown>({ ttl: "1m", key: (q) => q, shared: true });
      const ask = createClient<string, unknown>(
        { upstream: Object.assign(async (call: Call<string>) => up(call), { traits: {} }), runtime: clock },
        policy,
      );
      return { clock, calls, policy, ask };
    }

    it("each has his own, and none is kept", async () => {
      const { ask, calls, policy, clock } = foreign();
      const [first, second] = await Promise.all([ask("q"), ask("q")]);
      expect([first, second]).toEqual([{ body: 1 }, { body: 2 }]);
      for (const { end } of calls) end({ status: "answered", endedAt: 0 });
      await clock.settle();
      expect(policy.snapshot()).toMatchObject({ entries: 0, flights: 0 });
      expect(ask.snapshot().inFlight).toBe(0);
    });

    it("the reader's abort ends it", async () => {
      const { ask, calls } = foreign();
      const controller = new AbortController();
      await ask("q", { signal: controller.signal });
      controller.abort("left");
      expect(calls[0]?.call.reason).toBe("left");
    });
  });

  it("being closed cancels those who read, and is nobody's fault", async () => {
    const { ask, script, clock, events } = setup();
    const asked = ask("q");
    (await script.next()).stream(0);
    const reader = iterator(await asked);
    await reader.next();
    const reading = reader.next().catch((error: unknown) => error);
    void ask.close();
    await clock.advance(1_000);
    expect(await reading).toMatchObject({ code: "DRAINING" });
    expect(events.filter((event) => event.type === "call-end")).toMatchObject([
      { ending: { status: "cancelled" } },
    ]);
  });

  it("takes no more joiners once the beginning is gone, and keeps nothing of it", async () => {
    const { ask, script, policy, quiet } = setup();
    const asked = ask("q");
    const source = (await script.next()).stream("x".repeat(1024 * 1024));
    const reader = iterator(await asked);
    await reader.next();
    source.push("x".repeat(1024 * 1024 + 1));
    await reader.next();
    const second = ask("q");
    const other = (await script.next()).stream("short");
    other.end();
    expect(await read(await second)).toEqual(["short"]);
    expect(policy.snapshot().entries).toBe(1);
    void policy.clear();
    // The first one's end takes nothing from the one that came after it.
    const third = ask("q");
    const running = (await script.next()).stream("third");
    source.end();
    await reader.next();
    const joined = ask("q");
    running.end();
    expect(await read(await third)).toEqual(["third"]);
    expect(await read(await joined)).toEqual(["third"]);
    expect(script.calls).toBe(3);
    await quiet();
  });

  it("reads no further ahead than it keeps, and gives up who is too far behind the others", async () => {
    const { ask, script, clock, events, quiet } = setup();
    const asked = [ask("q"), ask("q")];
    const source = (await script.next()).stream("first");
    const [slow, fast] = (await Promise.all(asked)).map(iterator);
    const mebi = "x".repeat(1024 * 512); // counts as one MiB
    let delivered = 0;
    for (let i = 0; i < 25; i++) source.push(mebi);
    await clock.settle();
    for (let i = 0; i < 26; i++) if ((await fast?.next())?.done !== true) delivered++;
    expect(delivered).toBe(26);
    await expect(slow?.next()).rejects.toBeInstanceOf(LaggingReaderError);
    source.end();
    await fast?.next();
    expect(events.filter((event) => event.type === "call-end")).toMatchObject([
      { ending: { status: "cancelled" } },
      { ending: { status: "answered" } },
    ]);
    await quiet();
  });

  it("shares the items of a stream that cannot be copied with who is there, and with nobody else", async () => {
    const { ask, script, policy, events, quiet } = setup();
    const asked = [ask("q"), ask("q")];
    const item = new URL("http://a.test");
    const source = (await script.next()).stream(item);
    const [first, second] = (await Promise.all(asked)).map(iterator);
    expect((await first?.next())?.value).toBe(item);
    expect((await second?.next())?.value).toBe(item);
    const late = ask("q");
    const other = (await script.next()).stream(item);
    for (const one of [source, other]) one.end();
    await Promise.all([first?.next(), second?.next(), read(await late)]);
    expect(policy.snapshot().entries).toBe(0);
    expect(events.filter((event) => event.type === "hint")).toHaveLength(1);
    await quiet();
  });

  describe("a call inside its own flight", () => {
    it("that hands on its signal makes an attempt of its own", async () => {
      let calls = 0;
      const ask = createClient<string, unknown>(
        upstream(async (q: string, { signal }): Promise<unknown> => {
          await Promise.resolve();
          return ++calls === 1 ? [await ask(q, { signal })] : "inner";
        }),
        cache({ ttl: "1m", key: (q: string) => q, shared: true }),
      );
      expect(await ask("q")).toEqual(["inner"]);
      expect(await ask("q")).toEqual(["inner"]);
      expect(calls).toBe(2);
    });

    it("that is made at once does so too, without a signal", async () => {
      let calls = 0;
      const ask = createClient<string, unknown>(
        upstream(async (q: string): Promise<unknown> => (++calls === 1 ? [await ask(q)] : "inner")),
        cache({ ttl: "1m", key: (q: string) => q, shared: true }),
      );
      const [first, joined] = await Promise.all([ask("q"), ask("q")]);
      expect(first).toEqual(["inner"]);
      expect(joined).toEqual(["inner"]);
      expect(calls).toBe(2);
    });
  });

  it("tells clocks around it what happens inside, and who leads what it used", async () => {
    const clock = createTestClock();
    const calls: Call<string>[] = [];
    const up = Object.assign(
      (call: Call<string>): Outcome<unknown> => {
        calls.push(call);
        call.mark("dispatched");
        call.meta.usage = call.usage = { totalTokens: 5 };
        call.meta.model = "small";
        call.mark("token");
        const source = { next: async () => ({ done: true as const, value: undefined }) };
        const { stream, end } = relay(source, call);
        return { status: "answered", value: stream, meta: call.meta, end };
      },
      { traits: { marks: ["dispatched", "token"] as const, key: (q: string) => q } },
    );
    const ask = createClient<string, unknown>(
      { upstream: up, runtime: clock },
      timeout({ firstToken: "1s", idle: "1s" }),
      cache({ ttl: "1m", shared: true }),
    );
    const ends: BreakwaterEvent[] = [];
    ask.on((event) => event.type === "call-end" && ends.push(event));
    const asked = [await ask.full("q"), await ask.full("q")];
    expect(asked[1]?.meta.firstTokenMs).toBe(0); // the answer has begun, whenever he reads it
    await Promise.all(asked.map(({ value }) => read(value)));
    expect(asked[0]?.meta).toMatchObject({ cache: "miss", model: "small", attempts: 1, firstTokenMs: 0 });
    expect(asked[1]?.meta).toMatchObject({ cache: "join", model: "small", attempts: 0 });
    expect(ends).toMatchObject([{ ending: { usage: { totalTokens: 5 }, dispatchedAt: 0 } }, { ending: {} }]);
    expect("usage" in (ends[1] as { ending: object }).ending).toBe(false);
    expect(asked.map(({ meta }) => meta.usage)).toEqual([{ totalTokens: 5 }, undefined]);
    expect(asked.map(({ meta }) => meta.saved)).toEqual([undefined, { totalTokens: 5 }]);
    const { meta } = await ask.full("q");
    expect(meta).toMatchObject({ cache: "hit", model: "small", saved: { totalTokens: 5 } });
    expect(meta.usage).toBeUndefined();
    await clock.advance(60_000);
    expect(clock.pending).toBe(0);
    expect(calls).toHaveLength(1);
  });

  it("who leaves last keeps what he holds outside until the work inside has stopped", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, unknown>();
    const outside = bulkhead({ concurrency: 1 });
    const ask = createClient<string, unknown>(
      { upstream: script.upstream, runtime: clock },
      outside,
      cache({ ttl: "1m", key: (q: string) => q, shared: true }),
    );
    const controller = new AbortController();
    const asked = ask.outcome("q", { signal: controller.signal });
    const call = await script.next();
    controller.abort();
    expect(await asked).toMatchObject({ status: "cancelled" });
    await clock.settle();
    expect(outside.snapshot?.()).toMatchObject({ active: { "": 1 } });
    call.answer("too late");
    await clock.settle();
    expect(outside.snapshot?.()).toMatchObject({ active: {} });
    expect(clock.pending).toBe(0);
  });
});
