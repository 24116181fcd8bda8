// A client that is called inside another call, with that call's signal: what ends it, what it tells, what it outlives.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { describe, expect, it } from "vitest";

import { createTestClock, scriptedUpstream, type TestClock } from "../../testing/src/index.ts";
import {
  answered,
  around,
  cache,
  type Call,
  type Client,
  createClient,
  createPipeline,
  DISCARDED,
  type Ending,
  guard,
  type Pipeline,
  type Policy,
  rateLimit,
  retry,
  timeout,
  upstream,
} from "../src/index.ts";

type Words = AsyncIterableIterator<string>;

/** A client whose answers are streams that the test writes. */
function streaming(clock: TestClock) {
  const script = scriptedUpstream<string, Words>();
  return { script, client: createClient({ upstream: script.upstream, runtime: clock }) };
}

function asking(clock: TestClock) {
  const script = scriptedUpstream();
  return { script, client: createClient({ upstream: script.upstream, runtime: clock }) };
}

function pipelineOf(clock: TestClock, ...policies: readonly Policy[]): Pipeline {
  return createPipeline({ runtime: clock }, ...policies);
}

/** Keeps the endings of what passes it. */
function watching(): { readonly policy: Policy; readonly endings: Ending[] } {
  const endings: Ending[] = [];
  const policy = guard("watch", {
    name: "watch",
    admit(call) {
      call.defer((ending) => endings.push(ending));
      return undefined;
    },
  });
  return { policy, endings };
}

/** What is thrown at last; listened to from now on. */
function thrownBy(promise: Promise<unknown> | undefined): Promise<unknown> | undefined {
  return promise?.then(
    () => undefined,
    (error: unknown) => error,
  );
}

async function* louder(words: Promise<Words>): AsyncGenerator<string> {
  for await (const word of await words) yield word.toUpperCase();
}

async function expectNothingLeft(clock: TestClock, ...all: readonly (Client<never, unknown> | Pipeline)[]) {
  await clock.settle();
  expect(all.map((each) => each.snapshot().inFlight)).toEqual(all.map(() => 0));
  expect(clock.pending).toBe(0);
}

const policies: readonly (readonly [string, () => readonly Policy[]])[] = [
  ["no policy", () => []],
  ["a retry", () => [retry()]],
  ["clocks and a retry", () => [timeout({ total: "1m" }), retry(), timeout({ idle: "10s" })]],
];

describe.each(policies)("a stream of a client inside a pipeline with %s", (_, given) => {
  it("is read to its end", async () => {
    const clock = createTestClock();
    const { client, script } = streaming(clock);
    const pipeline = pipelineOf(clock, ...given());
    const asked = pipeline.execute(({ signal }) => client("x", { signal }));
    const written = (await script.next()).stream("a");
    const stream = await asked;
    written.push("b");
    written.end();
    const read: string[] = [];
    for await (const word of stream) read.push(word);
    expect(read).toEqual(["a", "b"]);
    await expectNothingLeft(clock, client, pipeline);
  });

  it("is read to its end through a generator, and tells its usage before the call around it is over", async () => {
    const clock = createTestClock();
    const { client, script } = streaming(clock);
    const { endings, policy } = watching();
    const pipeline = pipelineOf(clock, policy, ...given());
    const asked = pipeline.execute(({ signal }) => louder(client("x", { signal })));
    const { call, stream } = await script.next();
    const written = stream("a");
    const loud = await asked;
    written.push("b");
    call.usage = { promptTokens: 3, completionTokens: 2 };
    written.end();
    const read: string[] = [];
    for await (const word of loud) read.push(word);
    expect(read).toEqual(["A", "B"]);
    expect(endings).toMatchObject([{ status: "answered", usage: { promptTokens: 3, completionTokens: 2 } }]);
    await expectNothingLeft(clock, client, pipeline);
  });

  it("is ended, as one that was left, when the reader of the stream around it leaves", async () => {
    const clock = createTestClock();
    const { client, script } = streaming(clock);
    const pipeline = pipelineOf(clock, ...given());
    const asked = pipeline.execute(({ signal }) => louder(client("x", { signal })));
    const { call, stream } = await script.next();
    const written = stream("a");
    for await (const word of await asked) {
      expect(word).toBe("A");
      break;
    }
    await clock.settle();
    expect([written.stopped, call.aborted, call.ending?.status]).toEqual([true, false, "cancelled"]);
    await expectNothingLeft(clock, client, pipeline);
  });

  it("is ended at once when the reader leaves in the middle of a read", async () => {
    const clock = createTestClock();
    const { client, script } = streaming(clock);
    const pipeline = pipelineOf(clock, ...given());
    const asked = pipeline.execute(({ signal }) => louder(client("x", { signal })));
    const { call, stream } = await script.next();
    stream("a");
    const loud = await asked;
    await loud.next();
    const outstanding = loud.next();
    await clock.settle();
    await loud.return(undefined);
    expect(await outstanding).toMatchObject({ done: true });
    expect(call.ended).toBe(true);
    await expectNothingLeft(clock, client, pipeline);
  });

  it("is ended by the abort of the call around it, with the caller's reason", async () => {
    const clock = createTestClock();
    const { client, script } = streaming(clock);
    const pipeline = pipelineOf(clock, ...given());
    const browser = new AbortController();
    const asked = pipeline.execute(({ signal }) => louder(client("x", { signal })), {
      signal: browser.signal,
    });
    const { call, stream } = await script.next();
    stream("a");
    const loud = await asked;
    await loud.next();
    const outstanding = loud.next();
    browser.abort("left");
    await expect(outstanding).rejects.toBe("left");
    expect([call.reason, call.ended]).toEqual(["left", true]);
    await expectNothingLeft(clock, client, pipeline);
  });
});

describe("a client inside another call", () => {
  it("goes on beside the answer of the call around it, and its marks and tokens are not that one's any more", async () => {
    const clock = createTestClock();
    const side = asking(clock);
    const pipeline = pipelineOf(clock, retry());
    let aside: Promise<string> | undefined;
    const outcome = await pipeline.outcome(({ signal }) => {
      aside = side.client("audit", { signal });
      return "there";
    });
    const { answer, call } = await side.script.next();
    expect([outcome, call.aborted]).toMatchObject([{ status: "answered", value: "there" }, false]);
    const { attempts } = outcome.meta;
    call.mark("dispatched");
    call.mark("token");
    expect(outcome.meta).toMatchObject({ attempts });
    expect(outcome.meta.firstTokenMs).toBeUndefined();
    answer("noted");
    expect(await aside).toBe("noted");
    await expectNothingLeft(clock, side.client, pipeline);
  });

  it("adds its tokens to those of others in the same work, which are not instead of it as another attempt's are", async () => {
    const clock = createTestClock();
    const { client, script } = asking(clock);
    const { endings, policy } = watching();
    const pipeline = pipelineOf(clock, policy, retry({ attempts: 2, baseDelay: 0 }));
    let attempts = 0;
    const asked = pipeline.execute(async ({ signal }) => {
      const both = await Promise.all([client("plan", { signal }), client("act", { signal })]);
      if (++attempts === 1) throw new Error("busy");
      return both;
    });
    for (let attempt = 1; attempt <= 2; attempt++) {
      const [plan, act] = [await script.next(), await script.next()];
      plan.call.usage = { promptTokens: 5 * attempt, completionTokens: 1, totalTokens: 5 * attempt + 1 };
      plan.answer("first");
      act.call.usage = { promptTokens: 7 * attempt, estimated: true };
      act.answer("second");
      await clock.settle();
    }
    expect(await asked).toEqual(["first", "second"]);
    const usage = { promptTokens: 24, completionTokens: 1, totalTokens: 25, estimated: true };
    expect(endings.map((ending) => ending.usage)).toEqual([usage]);
  });

  it("is expected to cost what its upstream says, and where that cannot tell, what the call around it is", async () => {
    const clock = createTestClock();
    const [plain, seen] = [asking(clock), scriptedUpstream()];
    const told = Object.assign(seen.upstream, {
      traits: { ...seen.upstream.traits, cost: (text: string) => ({ totalTokens: text.length }) },
    });
    const limit = rateLimit({ limits: { tokens: { limit: 100, per: "1m" } } });
    const client = createClient({ upstream: told, runtime: clock }, limit);
    const asked = pipelineOf(clock).execute(
      ({ signal }) => Promise.all([client("four", { signal }), plain.client("x", { signal })]),
      { cost: { totalTokens: 90 } },
    );
    const [one, other] = [await seen.next(), await plain.script.next()];
    expect(client.snapshot().policies[0]?.state).toMatchObject({ remaining: { "": { tokens: 96 } } });
    expect(other.call.trip.cost).toEqual({ totalTokens: 90 });
    one.answer("a");
    other.answer("b");
    expect(await asked).toEqual(["a", "b"]);
  });

  it("is not counted again where the work around it passes on what it told of its tokens", async () => {
    const clock = createTestClock();
    const { client, script } = streaming(clock);
    const { endings, policy } = watching();
    const usage = { promptTokens: 3, completionTokens: 2 };
    const asked = pipelineOf(clock, policy, retry()).execute(async function* ({ call, signal }) {
      for await (const word of await client("x", { signal })) {
        if (word === "usage") call.usage = { ...usage };
        yield word;
      }
    });
    const { call, stream } = await script.next();
    const written = stream("a");
    const words = await asked;
    call.usage = usage;
    written.push("usage");
    written.end();
    const read: string[] = [];
    for await (const word of words) read.push(word);
    expect([read, endings.map((ending) => ending.usage)]).toEqual([["a", "usage"], [usage]]);
    await expectNothingLeft(clock, client);
  });

  it("goes on beside a stream of it, and beyond its end", async () => {
    const clock = createTestClock();
    const [side, words] = [asking(clock), streaming(clock)];
    const pipeline = pipelineOf(clock, retry());
    let aside: Promise<string> | undefined;
    const asked = pipeline.execute(({ signal }) => {
      aside = side.client("audit", { signal });
      return words.client("x", { signal });
    });
    (await words.script.next()).stream("a").end();
    const read: string[] = [];
    for await (const word of await asked) read.push(word);
    expect(read).toEqual(["a"]);
    const { answer, call } = await side.script.next();
    expect([pipeline.snapshot().inFlight, call.aborted]).toEqual([0, false]);
    answer("noted");
    expect(await aside).toBe("noted");
    await expectNothingLeft(clock, side.client, words.client, pipeline);
  });

  it("has its own retries when the call around it, whose retries stood for them, is over", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const again = retry({ attempts: 3, baseDelay: 0 });
    const side = createClient({ upstream: script.upstream, runtime: clock }, again);
    const pipeline = pipelineOf(clock, retry());
    const busy = (): Error => Object.assign(new Error("busy"), { status: 503 });
    const asides: Promise<string>[] = [];
    const asked = pipeline.execute(async ({ signal }) => {
      asides.push(side("in time", { signal }));
      await asides[0]?.catch(() => undefined);
      asides.push(side("late", { signal }));
    });
    (await script.next()).fail(busy());
    await asked;
    await expect(asides[0]).rejects.toThrow("busy");
    (await script.next()).fail(busy());
    (await script.next()).answer("noted");
    expect(await asides[1]).toBe("noted");
    await expectNothingLeft(clock, side, pipeline);
  });

  it("is behind a policy that was in front of a call that is over, as what it begins in its turn", async () => {
    const clock = createTestClock();
    const { policy, endings } = watching();
    const pipeline = pipelineOf(clock, policy);
    // Each begins the next one before it is over, as a worker may that never stops.
    let last: Promise<unknown> | undefined;
    const work = (left: number, within?: AbortSignal): Promise<void> =>
      pipeline.execute(
        async ({ signal }) => {
          await clock.settle();
          last = left === 0 ? undefined : work(left - 1, signal);
        },
        { signal: within },
      );
    await work(5);
    while (last !== undefined) await last;
    // The one that begins while the first runs is part of that one; the next is none's.
    expect(endings).toHaveLength(3);
    await expectNothingLeft(clock, pipeline);
  });

  it("keeps nothing in a call that goes on when its stream was left", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const clock = createTestClock();
    const results: WeakRef<object>[] = [];
    const source: AsyncIterator<string> = {
      next: async () => ({ done: false, value: "a" }),
      async return() {
        const result = { done: true, value: undefined } as const;
        results.push(new WeakRef(result));
        return result;
      },
    };
    const words = upstream((_: string) => ({ [Symbol.asyncIterator]: () => source }));
    const client = createClient({ upstream: words, runtime: clock });
    const pipeline = pipelineOf(clock);
    async function leaveOne(signal: AbortSignal): Promise<void> {
      const stream = (await client("x", { signal }))[Symbol.asyncIterator]();
      await stream.next();
      await stream.return?.();
    }
    const kept = await pipeline.execute(async ({ signal }) => {
      for (let n = 0; n < 10; n++) await leaveOne(signal);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      collect();
      return results.filter((each) => each.deref() !== undefined);
    });
    expect(results).toHaveLength(10);
    expect(kept.length).toBeLessThanOrEqual(1); // the latest one may still be on the stack
    await expectNothingLeft(clock, client, pipeline);
  });

  it("follows the caller's signal when the call around it is over", async () => {
    const clock = createTestClock();
    const side = asking(clock);
    const pipeline = pipelineOf(clock, retry());
    const browser = new AbortController();
    let aside: Promise<string> | undefined;
    await pipeline.execute(
      ({ signal }) => {
        aside = side.client("audit", { signal });
      },
      { signal: browser.signal },
    );
    const { answer, call } = await side.script.next();
    expect([pipeline.snapshot().inFlight, call.aborted]).toEqual([0, false]);
    browser.abort("left");
    await expect(aside).rejects.toBe("left");
    answer("late");
    await expectNothingLeft(clock, side.client, pipeline);
  });

  it("follows, when the call around it is over, the call around that one", async () => {
    const clock = createTestClock();
    const side = asking(clock);
    const [outer, inner] = [pipelineOf(clock, timeout({ total: "1s" })), pipelineOf(clock, retry())];
    let aside: Promise<string> | undefined;
    const asked = outer.outcome(async (context) => {
      await inner.execute(
        ({ signal }) => {
          aside = side.client("audit", { signal });
        },
        { signal: context.signal },
      );
      return new Promise<never>((_, reject) => context.signal.addEventListener("abort", reject));
    });
    const { answer, call } = await side.script.next();
    await clock.settle();
    expect([inner.snapshot().inFlight, outer.snapshot().inFlight, call.aborted]).toEqual([0, 1, false]);
    const thrown = thrownBy(aside);
    await clock.advance(1_000);
    expect(await asked).toMatchObject({ status: "failed", error: { clock: "total" } });
    expect(await thrown).toMatchObject({ code: "TIMED_OUT" });
    answer("late");
    await expectNothingLeft(clock, side.client, inner, outer);
  });

  it("is ended by the drain of its own client when the call around it is over", async () => {
    const clock = createTestClock();
    const side = asking(clock);
    const pipeline = pipelineOf(clock);
    let aside: Promise<string> | undefined;
    await pipeline.execute(({ signal }) => {
      aside = side.client("audit", { signal });
    });
    const { answer } = await side.script.next();
    const thrown = thrownBy(aside);
    const closed = side.client.close();
    await clock.advance(1_000);
    expect(await thrown).toMatchObject({ name: "RefusedError", code: "DRAINING" });
    answer("late");
    await closed;
    await expectNothingLeft(clock, side.client, pipeline);
  });

  it("is ended when the attempt around it fails, with an error that says why", async () => {
    const clock = createTestClock();
    const side = asking(clock);
    const pipeline = pipelineOf(clock, retry({ attempts: 2, baseDelay: 0 }));
    const signals: AbortSignal[] = [];
    const asides: Promise<string>[] = [];
    const asked = pipeline.execute(async ({ signal }) => {
      signals.push(signal);
      const aside = side.client("audit", { signal });
      asides.push(aside);
      if (asides.length === 1) throw new Error("busy");
      return aside;
    });
    const first = await side.script.next();
    await expect(asides[0]).rejects.toMatchObject({ name: "AbortError" });
    expect([first.call.reason, first.call.ended]).toEqual([DISCARDED, true]);
    (await side.script.next()).answer("noted");
    expect(await asked).toBe("noted");
    first.answer("late");
    await expectNothingLeft(clock, side.client, pipeline);
  });

  it("is ended when the stream of the call around it fails", async () => {
    const clock = createTestClock();
    const [side, words] = [asking(clock), streaming(clock)];
    const pipeline = pipelineOf(clock);
    let aside: Promise<string> | undefined;
    const asked = pipeline.execute(({ signal }) => {
      aside = side.client("audit", { signal });
      return words.client("x", { signal });
    });
    const written = (await words.script.next()).stream("a");
    const stream = await asked;
    const { answer, call } = await side.script.next();
    const thrown = thrownBy(aside);
    written.fail(new Error("reset"));
    await stream.next();
    await expect(stream.next()).rejects.toThrow("reset");
    expect(await thrown).toMatchObject({ name: "AbortError" });
    expect(call.ended).toBe(true);
    answer("late");
    await expectNothingLeft(clock, side.client, words.client, pipeline);
  });

  it("is ended with the lane of a race that another one won", async () => {
    const clock = createTestClock();
    const { client, script } = asking(clock);
    const both = around("both", {
      name: "both",
      run: (call, next) => Promise.race([next(call.fork()), next(call.fork({ attempt: 2 }))]),
    });
    const pipeline = pipelineOf(clock, both);
    const lanes: Promise<string>[] = [];
    const asked = pipeline.execute(({ signal }) => {
      const lane = client("x", { signal });
      lanes.push(lane);
      return lane;
    });
    const [slow, fast] = [await script.next(), await script.next()];
    fast.answer("fast");
    expect(await asked).toBe("fast");
    await expect(lanes[0]).rejects.toMatchObject({ name: "AbortError" });
    expect(slow.call.reason).toBe(DISCARDED);
    slow.answer("late");
    await expectNothingLeft(clock, client, pipeline);
  });

  it("gives its stream to everybody who shares a flight, and outlives the first of them", async () => {
    const clock = createTestClock();
    const { client, script } = streaming(clock);
    const shared = createClient(
      {
        upstream: upstream((text: string, { signal }) => louder(client(text, { signal }))),
        runtime: clock,
      },
      cache({ ttl: "1m", key: (text) => text, shared: true }),
    );
    const browser = new AbortController();
    const asked = [shared("x", { signal: browser.signal }), shared("x")];
    const written = (await script.next()).stream("a");
    const [first, second] = await Promise.all(asked);
    expect(await first?.next()).toMatchObject({ value: "A" });
    browser.abort("left");
    await expect(first?.next()).rejects.toBe("left");
    written.push("b");
    written.end();
    const read: string[] = [];
    for await (const word of second ?? []) read.push(word);
    expect(read).toEqual(["A", "B"]);
    expect(script.calls).toBe(1);
    await client.close();
    await shared.close();
    await expectNothingLeft(clock, client, shared);
  });

  it("whose outcome is passed on as it is has its stream read on", async () => {
    const clock = createTestClock();
    const { client, script } = streaming(clock);
    const outer = createClient<string, Words>({
      upstream: async (call: Call<string>) => {
        const outcome = await client.outcome(call.request, { signal: call.signal });
        return outcome.status === "answered" ? answered(outcome.value, call.meta, outcome.end) : outcome;
      },
      runtime: clock,
    });
    const asked = outer("x");
    (await script.next()).stream("a").end();
    const read: string[] = [];
    for await (const word of await asked) read.push(word);
    expect(read).toEqual(["a"]);
    await expectNothingLeft(clock, client, outer);
  });
});
