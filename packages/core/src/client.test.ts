import { AsyncLocalStorage } from "node:async_hooks";

import { describe, expect, it } from "vitest";

import { createTestClock, scriptedUpstream } from "../../testing/src/index.ts";
import {
  answered,
  around,
  attempt,
  BreakwaterError,
  type BreakwaterEvent,
  bulkhead,
  type Call,
  type CallContext,
  cancelled,
  createClient,
  createPipeline,
  fallback,
  guard,
  provideContext,
  RefusedError,
  retry,
  timeout,
  TimedOutError,
  type Upstream,
  upstream,
} from "./index.ts";

const echo = upstream(async (text: string) => text);

describe("a client", () => {
  it("answers, tells its meta, and never throws from outcome()", async () => {
    const ask = createClient(echo, retry());
    expect(await ask("a")).toBe("a");
    expect(await ask.full("a", { callId: "mine" })).toEqual({
      value: "a",
      meta: { callId: "mine", attempts: 1 },
    });
    expect(await ask.outcome("a")).toMatchObject({ status: "answered", value: "a" });
  });

  it("gives falsy answers as they are", async () => {
    for (const value of [undefined, null, 0, "", false]) {
      expect(await createClient(upstream(async () => value))(1)).toBe(value);
    }
  });

  it("throws the caller's own signal reason, whatever it is", async () => {
    for (const reason of [new Error("mine"), "a word", { an: "object" }, 7]) {
      const ask = createClient(
        upstream(
          (_: number, { signal }) =>
            new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
        ),
      );
      const controller = new AbortController();
      const asked = ask(1, { signal: controller.signal }).catch((error: unknown) => error);
      controller.abort(reason);
      expect(await asked).toBe(reason);
    }
  });

  it("does not run for a signal that has fired already", async () => {
    let calls = 0;
    const ask = createClient(upstream(async (_: number) => calls++));
    await expect(ask(1, { signal: AbortSignal.abort("before") })).rejects.toBe("before");
    expect(calls).toBe(0);
  });

  it("bounds everything by the caller's deadline", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const ask = createClient(
      { upstream: script.upstream, runtime: clock },
      retry(),
      bulkhead({ concurrency: 1, queue: 1 }),
    );
    const first = ask("a");
    const running = await script.next();
    const second = ask("b", { deadline: "2s" }).catch((error: unknown) => error);
    await clock.advance(2_000);
    const error = await second;
    expect(TimedOutError.isInstance(error) && error.clock).toBe("deadline");
    running.answer("x");
    expect(await first).toBe("x");
  });

  it("tells what happens to several listeners; one that throws or leaves disturbs nobody (trap 14, 80)", async () => {
    const ask = createClient({ upstream: echo, name: "search" }, retry());
    const first: BreakwaterEvent[] = [];
    const second: BreakwaterEvent[] = [];
    const listen = (event: BreakwaterEvent): void => void first.push(event);
    const leave = ask.on(listen);
    ask.on(listen);
    ask.on(() => {
      throw new Error("clumsy");
    });
    ask.on((event) => second.push(event));
    leave();
    leave();
    expect(await ask("a", { callId: "c" })).toBe("a");
    const types = second.filter((event) => event.type !== "callback-throw").map((event) => event.type);
    expect(types).toEqual(["call-start", "attempt-start", "attempt-end", "call-end"]);
    expect(first.filter((event) => event.type === "call-start")).toHaveLength(1);
    expect(second.find((event) => event.type === "call-start")).toMatchObject({
      client: "search",
      callId: "c",
    });
    expect(second.some((event) => event.type === "callback-throw")).toBe(true);
  });

  it("tells with an attempt which model is asked for, and at its end which one has answered", async () => {
    const host: Upstream<string, string> = Object.assign(
      (call: Call<string>) => {
        call.sendTo("host", "asked");
        call.mark("dispatched");
        call.answeredBy("answered");
        return answered(call.request, call.meta);
      },
      { traits: { marks: ["dispatched"] as const } },
    );
    const ask = createClient(host);
    const told: BreakwaterEvent[] = [];
    ask.on((event) => told.push(event));
    await ask("a");
    expect(told.find((event) => event.type === "attempt-start")).toMatchObject({ model: "asked" });
    expect(told.find((event) => event.type === "attempt-end")).toMatchObject({ model: "answered" });
  });

  it("tells of each attempt whom it asked, though others run beside it and one is asked elsewhere", async () => {
    const clock = createTestClock();
    const named = (name: string, ms: number, error?: Error): Upstream<string, string> =>
      Object.assign(
        async (call: Call<string>) => {
          call.sendTo(name, `${name}-model`);
          call.mark("dispatched");
          await call.sleep(ms);
          call.answeredBy(`${name}-answered`);
          if (error !== undefined) throw error;
          return answered(call.request, call.meta);
        },
        { traits: { marks: ["dispatched"] as const } },
      );
    const busy = Object.assign(new Error("busy"), { status: 503 });
    const race = around<string, string>("race", {
      name: "race",
      run(call, next) {
        const other = attempt(call.fork(), named("slow", 100));
        return Promise.resolve(next(call.fork())).then((outcome) =>
          outcome.status === "answered" ? outcome : other,
        );
      },
    });
    const host = named("fast", 50, busy);
    const plain = upstream((text: string) => text);
    const ask = createClient(
      { name: "c", upstream: host, runtime: clock },
      fallback({ to: plain, when: () => true }),
      race,
    );
    const told: BreakwaterEvent[] = [];
    ask.on((event) => told.push(event));
    const { meta } = await clock.until(ask.full("a"));
    const whom = told.flatMap((event) =>
      event.type === "attempt-start" || event.type === "attempt-end" ? [[event.target, event.model]] : [],
    );
    expect(whom).toEqual([
      ["slow", "slow-model"],
      ["fast", "fast-model"],
      ["fast", "fast-answered"],
      ["slow", "slow-answered"],
      [undefined, undefined],
      [undefined, undefined],
    ]);
    // Nor does the answer say that it is of a host that had none.
    expect(meta).toEqual({ callId: meta.callId, attempts: 3, degraded: true });
  });

  it("tells tokens once: of the attempt that used them, not of work that made it", async () => {
    const inner = createClient(
      upstream((text: string, { call }) => {
        call.usage = { totalTokens: 7 };
        return text;
      }),
    );
    const pipeline = createPipeline({ name: "outer" });
    const told: BreakwaterEvent[] = [];
    for (const each of [inner, pipeline]) each.on((event) => told.push(event));
    const outcome = await pipeline.outcome(({ signal }) => inner("a", { signal }));
    const ends = told.flatMap((event) => (event.type === "attempt-end" ? [event.ending.usage] : []));
    expect(ends).toEqual([{ totalTokens: 7 }, undefined]);
    expect(told.at(-1)).toMatchObject({
      type: "call-end",
      attempts: 1,
      ending: { usage: { totalTokens: 7 } },
    });
    // The work was done once, whatever it asked on its way.
    expect(outcome.meta.attempts).toBe(1);
  });

  it("says what is wrong with its upstream and its policies", () => {
    expect(() => createClient("https://api.deepseek.com" as never)).toThrow(
      "createClient: an upstream is expected, such as upstream(async (request) => …) or deepseekUpstream(), got",
    );
    expect(() => createClient(echo, { attempts: 3 } as never)).toThrow(
      'a policy such as retry() or timeout({ total: "10s" }) is expected, got an object.',
    );
    expect(() => createClient(echo, undefined as never)).toThrow("is expected, got undefined.");
    expect(() => createClient(echo, retry as never)).toThrow(
      "a policy is expected, got the function retry, which was not called: write retry().",
    );
  });

  it("describes order, effective options and what is probably not meant; the options are valid again", () => {
    const ask = createClient(
      echo,
      retry({ attempts: 2 }),
      fallback({ value: () => "x" }),
      timeout({ total: "5s" }),
    );
    const { policies, lints } = ask.describe();
    expect(policies.map((policy) => policy.kind)).toEqual(["retry", "fallback", "timeout"]);
    expect(lints.map((lint) => lint.code)).toEqual(["fallback-inside-retry", "total-inside-retry"]);
    const options = policies[0]?.options;
    expect(options).toMatchObject({ attempts: 2, baseDelay: 250 });
    expect(retry(options).describe?.()).toEqual(options);
  });

  it("shows its state as a copy", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const ask = createClient(
      { upstream: script.upstream, runtime: clock, name: "n" },
      bulkhead({ concurrency: 2 }),
    );
    const asked = ask("a");
    const snapshot = ask.snapshot();
    (await script.next()).answer("x");
    await asked;
    expect(snapshot).toMatchObject({
      name: "n",
      inFlight: 1,
      policies: [{ kind: "bulkhead", state: { active: { "": 1 } } }],
    });
    expect(ask.snapshot()).toMatchObject({ inFlight: 0, policies: [{ state: { active: {} } }] });
  });

  it("is what it consists of, itself and no other, so that who watches several knows it again", () => {
    const ask = createClient(upstream(async (text: string) => text));
    const pipeline = createPipeline();
    expect([ask.managed()[0] === ask, pipeline.managed()[0] === pipeline]).toEqual([true, true]);
  });

  it("drains: admits no more, waits for what runs, aborts what is left", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const ask = createClient({ upstream: script.upstream, runtime: clock });
    const stays = ask.outcome("stays");
    const leaves = ask("leaves");
    await script.next();
    const second = await script.next();
    const drained = ask.drain({ withinMs: 1_000 });
    expect(await ask.outcome("late")).toMatchObject({ status: "refused", refusal: { code: "DRAINING" } });
    second.answer("done");
    expect(await leaves).toBe("done");
    await clock.advance(1_000);
    expect(await stays).toMatchObject({ status: "cancelled", reason: { code: "DRAINING" } });
    await clock.advance(5_000); // its work ignores the abort
    await drained;
    await ask.close();
  });
});

describe("shadow and off", () => {
  it("tells what would have been refused, and lets it pass", async () => {
    const events: BreakwaterEvent[] = [];
    const policy = bulkhead({ concurrency: 1, mode: "shadow" });
    const ask = createClient(
      upstream(() => new Promise((resolve) => setImmediate(resolve))),
      policy,
    );
    ask.on((event) => events.push(event));
    const outcomes = await Promise.all([ask.outcome(1), ask.outcome(2)]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual(["answered", "answered"]);
    expect(events.filter((event) => event.type === "would-refuse")).toMatchObject([
      { refusal: { code: "BULKHEAD_FULL" } },
    ]);
    policy.update({ mode: "enforce" });
    const enforced = await Promise.all([ask.outcome(1), ask.outcome(2)]);
    expect(enforced.map((outcome) => outcome.status)).toEqual(["answered", "refused"]);
    policy.update({ mode: "off" });
    expect((await ask.outcome(1)).status).toBe("answered");
  });
});

describe("a pipeline", () => {
  it("executes, wraps, and shows policies the input", async () => {
    const keys: unknown[] = [];
    const pipeline = createPipeline(
      { name: "search" },
      guard("spy", { name: "spy", admit: (call) => void keys.push(call.request) }),
      retry(),
    );
    expect(await pipeline.execute(() => 1, { input: "q" })).toBe(1);
    expect(await pipeline.wrap((a: number, b: number) => a + b)(1, 2)).toBe(3);
    expect(keys).toEqual(["q", [1, 2]]);
    await expect(pipeline.execute("no function" as never)).rejects.toThrow(
      "pipeline: a function is expected",
    );
  });

  it("trap 59: passes its signal whatever the function's length says", async () => {
    const pipeline = createPipeline(timeout({ total: "1m" }));
    expect(await pipeline.execute((...args) => args[0].signal instanceof AbortSignal)).toBe(true);
  });

  it("throws a function's own error, and an abort of its own as a cancellation", async () => {
    const pipeline = createPipeline(retry({ attempts: 1 }));
    const own = new Error("own");
    await expect(pipeline.execute(() => Promise.reject(own))).rejects.toBe(own);
    await expect(
      pipeline.execute(() => {
        throw own;
      }),
    ).rejects.toBe(own);
    expect(
      await pipeline.outcome(() => Promise.reject(new DOMException("left", "AbortError"))),
    ).toMatchObject({
      status: "cancelled",
    });
  });

  it("counts a stream to its last item", async () => {
    const limit = bulkhead({ concurrency: 1 });
    const pipeline = createPipeline(limit);
    const stream = await pipeline.execute(async function* () {
      yield 1;
      yield 2;
    });
    expect((await pipeline.outcome(() => 1)).status).toBe("refused");
    const items: number[] = [];
    for await (const item of stream) items.push(item);
    expect(items).toEqual([1, 2]);
    expect((await pipeline.outcome(() => 1)).status).toBe("answered");
  });

  it("trap 64: leaving a loop gives the permit back and stops the source", async () => {
    let stopped = false;
    const limit = bulkhead({ concurrency: 1 });
    const pipeline = createPipeline(limit);
    const stream = await pipeline.execute(async function* () {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        stopped = true;
      }
    });
    for await (const item of stream) if (item === 2) break;
    expect(stopped).toBe(true);
    expect((await pipeline.outcome(() => 1)).status).toBe("answered");
  });
});

describe("user callbacks", () => {
  it("trap 30: queued work runs in its caller's async context", async () => {
    const storage = new AsyncLocalStorage<string>();
    const script: (() => void)[] = [];
    const seen: (string | undefined)[] = [];
    const ask = createClient(
      upstream((_: number) => {
        seen.push(storage.getStore());
        return new Promise<void>((resolve) => script.push(resolve));
      }),
      bulkhead({ concurrency: 1, queue: 2 }),
    );
    const first = storage.run("first", () => ask(1));
    const second = storage.run("second", () => ask(2));
    script[0]?.();
    await first;
    await new Promise((resolve) => setImmediate(resolve));
    script[1]?.();
    await second;
    expect(seen).toEqual(["first", "second"]);
  });
});

describe("the call context", () => {
  it("is read by clients that are handed nothing, and an SDK's own signal ends the call as well", async () => {
    const storage = provideContext(() => new AsyncLocalStorage<CallContext>());
    const script = scriptedUpstream();
    const ask = createClient(script.upstream);
    const browser = new AbortController();
    const sdk = new AbortController();
    const asked = storage.run({ signal: browser.signal, tenant: "t1", callId: "r1" }, () => [
      ask.outcome("a"),
      ask.outcome("b", { signal: sdk.signal }),
      ask.outcome("c", { signal: sdk.signal, tenant: "t2" }),
    ]);
    const [a, b, c] = [await script.next(), await script.next(), await script.next()];
    expect([a.call.tenant, b.call.tenant, c.call.tenant]).toEqual(["t1", "t1", "t2"]);
    expect(a.call.id).toBe("r1");
    sdk.abort("sdk");
    expect(await asked[1]).toMatchObject(cancelled("sdk", b.call.meta));
    browser.abort("browser");
    expect(await asked[0]).toMatchObject({ status: "cancelled", reason: "browser" });
    for (const call of [a, b, c]) call.answer("late");
  });
});

describe("an upstream that counts", () => {
  it("is told of every call of the clients around it, those that never reach it as well", async () => {
    const told: string[] = [];
    const counting = Object.assign(
      upstream(async (text: string) => text),
      {
        traits: {
          onCall: (call: Call<string>) => call.defer(({ status }) => told.push(`${call.request} ${status}`)),
        },
      },
    );
    const inner = createClient(counting);
    const outer = createClient(
      inner.upstream,
      guard("closed", { name: "closed", admit: () => ({ by: "closed", code: "CLOSED" }) }),
    );
    await inner("a");
    await outer.outcome("b");
    expect(told).toEqual(["a answered", "b refused"]);
  });
});

describe("our errors", () => {
  it("are known across copies of the package", () => {
    const error = new RefusedError({ by: "limit", code: "RATE_LIMITED", retryAfterMs: 1_500.2 });
    expect(error.message).toBe("refused by limit: RATE_LIMITED; try again in 1501 ms");
    expect(RefusedError.isInstance(error) && BreakwaterError.isInstance(error)).toBe(true);
    expect(TimedOutError.isInstance(error)).toBe(false);
    const foreign = Object.assign(new Error("copy"), { [Symbol.for("breakwater.error.RefusedError")]: true });
    expect(RefusedError.isInstance(foreign)).toBe(true);
  });
});
