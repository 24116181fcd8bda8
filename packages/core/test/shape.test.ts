// The shape of DESIGN §1, before any policy's options: what must hold for every policy that will ever be written.
import { readdirSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { createTestClock, scriptedUpstream } from "../../testing/src/index.ts";
import {
  answered,
  around,
  type BreakwaterEvent,
  bulkhead,
  chain,
  circuitBreaker,
  createClient,
  createPipeline,
  discard,
  type Ending,
  guard,
  type Outcome,
  RefusedError,
  retry,
  timeout,
  TimedOutError,
  upstream,
} from "../src/index.ts";

/** Records when a call's verdict was known and when its work had stopped. */
function observer() {
  const seen: { defer?: Ending; hold?: Ending } = {};
  const policy = guard("observer", {
    name: "observer",
    admit(call) {
      call.defer((ending) => (seen.defer = ending));
      call.hold((ending) => (seen.hold = ending), 1_000);
      return undefined;
    },
  });
  return { seen, policy };
}

describe("deaf work", () => {
  it("is answered for by the clock at once, and holds its permit until it stops", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const { seen, policy } = observer();
    const ask = createClient({ upstream: script.upstream, runtime: clock }, policy, timeout({ total: 100 }));
    const asked = ask("x").catch((error: unknown) => error);
    const call = await script.next();
    await clock.advance(100);
    const error = await asked;
    expect(TimedOutError.isInstance(error) && error.clock).toBe("total");
    expect(seen.defer).toMatchObject({ status: "failed", fault: "upstream" });
    expect(seen.hold).toBeUndefined();
    call.answer("too late");
    await clock.settle();
    expect(seen.hold).toMatchObject({ status: "failed" });
    expect(clock.pending).toBe(0);
  });

  it("loses its permit when its grace is over, and gives it back only once", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const { seen, policy } = observer();
    const ask = createClient({ upstream: script.upstream, runtime: clock }, policy, timeout({ total: 100 }));
    const asked = ask.outcome("x");
    const call = await script.next();
    await clock.advance(100);
    expect((await asked).status).toBe("failed");
    await clock.advance(1_000);
    const first = seen.hold;
    expect(first).toBeDefined();
    call.answer("much too late");
    await clock.settle();
    expect(seen.hold).toBe(first);
  });
});

describe("a store that answers later", () => {
  it("gives back what it admitted for a call that was aborted meanwhile, and nothing is sent", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    let admit: (reply: string) => void = () => {};
    const settled: (Ending | undefined)[] = [];
    const later = guard<string, string, string>("later", {
      name: "later",
      store: { decide: () => new Promise((resolve) => (admit = resolve)) },
      ask: (call) => call.request,
      judge: () => undefined,
      settle: (call) => call.hold((ending) => settled.push(ending), 0),
    });
    const ask = createClient({ upstream: script.upstream, runtime: clock }, later);
    const controller = new AbortController();
    const asked = ask("x", { signal: controller.signal }).catch((error: unknown) => error);
    await clock.settle();
    const reason = new Error("tab closed");
    controller.abort(reason);
    expect(await asked).toBe(reason);
    expect(settled).toHaveLength(0);
    admit("granted");
    await clock.settle();
    expect(settled).toMatchObject([{ status: "cancelled", error: reason }]);
    expect(script.calls).toBe(0);
  });
});

describe("a stream that nobody reads", () => {
  it("is given up, and gives everything back", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, AsyncIterable<string>>();
    const { seen, policy } = observer();
    const ask = createClient({ upstream: script.upstream, runtime: clock }, policy);
    const asked = ask("x");
    const stream = (await script.next()).stream("first");
    const iterable = await asked;
    await clock.advance(59_000);
    expect(seen.defer).toBeUndefined();
    await clock.advance(1_000);
    expect(seen.defer).toMatchObject({ status: "cancelled" });
    expect(seen.hold).toBeDefined();
    expect(stream.stopped).toBe(true);
    await expect(iterable[Symbol.asyncIterator]().next()).rejects.toThrow("reader asked for nothing");
    expect(clock.pending).toBe(0);
  });

  it("ends rightly when it is left before its first read", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, AsyncIterable<string>>();
    const { seen, policy } = observer();
    const ask = createClient({ upstream: script.upstream, runtime: clock }, policy, retry());
    const asked = ask("x");
    const stream = (await script.next()).stream("first");
    await (await asked)[Symbol.asyncIterator]().return?.();
    await clock.settle();
    expect(seen.defer).toMatchObject({ status: "cancelled" });
    expect(stream.stopped).toBe(true);
    expect(clock.pending).toBe(0);
  });
});

describe("a refusal far inside", () => {
  it("comes out as a refusal through clients, functions, pipelines and throws, and moves no breaker", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const full = createClient(
      { upstream: script.upstream, runtime: clock },
      bulkhead({ name: "inner", concurrency: 1 }),
    );
    const breaker = circuitBreaker({ minimumCalls: 1, window: { calls: 1 } });
    const pipeline = createPipeline(
      { runtime: clock },
      circuitBreaker({ name: "p", minimumCalls: 1, window: { calls: 1 } }),
    );
    const outer = createClient(
      {
        upstream: upstream((request: string, { signal }) =>
          pipeline.execute(() => full(request, { signal }), { signal }),
        ),
        runtime: clock,
      },
      breaker,
      retry(),
    );
    const first = outer("a");
    const call = await script.next();
    const refused = await outer.outcome("b");
    expect(refused).toMatchObject({ status: "refused", refusal: { by: "inner", code: "BULKHEAD_FULL" } });
    const thrown = await outer("c").catch((error: unknown) => error);
    expect(RefusedError.isInstance(thrown) && thrown.refusal.by).toBe("inner");
    expect(script.calls).toBe(1);
    call.answer("done");
    expect(await first).toBe("done");
  });
});

describe("a hedge", () => {
  /** As small as can be: a second lane after 50 ms; the first answer wins. */
  const hedge = around("hedge", {
    name: "hedge",
    run(call, next) {
      return new Promise<Outcome<string>>((resolve) => {
        let lanes = 1;
        let last: Outcome<string>;
        const lane = (outcome: Outcome<string>): void => {
          lanes--;
          last = outcome;
          if (outcome.status === "answered" || lanes === 0) resolve(last);
        };
        void chain(next(call.fork()), lane);
        call.timer(50, () => {
          lanes++;
          void chain(next(call.fork({ attempt: 2 })), lane);
        });
      });
    },
  });

  it("whose second lane is full still answers from the first", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const ask = createClient(
      { upstream: script.upstream, runtime: clock },
      hedge,
      bulkhead({ concurrency: 1 }),
    );
    const asked = ask("x");
    const call = await script.next();
    await clock.advance(60);
    expect(script.calls).toBe(1);
    call.answer("slow but sure");
    expect(await asked).toBe("slow but sure");
  });

  it("ends the lane that lost: cancelled, neutral to the breaker, permit back", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const limit = bulkhead({ concurrency: 2 });
    const breaker = circuitBreaker({ minimumCalls: 1, window: { calls: 5 } });
    const ask = createClient({ upstream: script.upstream, runtime: clock }, hedge, breaker, limit);
    const asked = ask("x");
    const slow = await script.next();
    await clock.advance(60);
    (await script.next()).answer("fast");
    expect(await asked).toBe("fast");
    expect(slow.call.signal.aborted).toBe(true);
    slow.throw(new Error("aborted"));
    await clock.settle();
    expect(limit.snapshot?.()).toMatchObject({ active: {} });
    expect(breaker.snapshot?.()).toMatchObject({ "": { calls: 1, failures: 0 } });
    expect(clock.pending).toBe(0);
  });
});

describe("a flight that outlives its leader", () => {
  it("runs on detached, is seen by snapshot() and waited for by drain()", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const done: string[] = [];
    const flight = around("flight", {
      name: "flight",
      async run(call, next) {
        const child = call.fork({ detached: true });
        call.host.track(child);
        return chain(next(child), (outcome: Outcome<string>) => {
          done.push(outcome.status);
          return outcome;
        });
      },
    });
    const ask = createClient({ upstream: script.upstream, runtime: clock }, flight);
    const controller = new AbortController();
    const asked = ask("x", { signal: controller.signal }).catch((error: unknown) => error);
    const call = await script.next();
    controller.abort();
    expect(await asked).toBe(controller.signal.reason);
    expect(call.call.aborted).toBe(false);
    expect(ask.snapshot().inFlight).toBeGreaterThan(0);
    let drained = false;
    const draining = ask.drain().then(() => (drained = true));
    await clock.settle();
    expect(drained).toBe(false);
    call.answer("for whoever comes next");
    await draining;
    expect(done).toEqual(["answered"]);
    expect(ask.snapshot().inFlight).toBe(0);
    expect(await ask.outcome("y")).toMatchObject({ status: "refused", refusal: { code: "DRAINING" } });
  });
});

describe("a total in our own queue", () => {
  it("is nobody's fault: never sent, not counted, and the queue is left", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const breaker = circuitBreaker({ minimumCalls: 1, window: { calls: 1 } });
    const limit = bulkhead({ concurrency: 1, queue: 5 });
    const ask = createClient(
      { upstream: script.upstream, runtime: clock },
      timeout({ total: 100 }),
      retry(),
      breaker,
      limit,
    );
    const occupying = ask("first").catch(() => "timed out");
    const call = await script.next();
    await clock.advance(50);
    const waiting = ask.outcome("second");
    await clock.advance(50);
    expect(await occupying).toBe("timed out");
    await clock.advance(50);
    expect(await waiting).toMatchObject({ status: "failed", fault: "overload", error: { clock: "total" } });
    expect(limit.snapshot?.()).toMatchObject({ queued: {} });
    expect(script.calls).toBe(1);
    expect(breaker.snapshot?.()).toMatchObject({ "": { status: "closed", calls: 0 } });
    call.answer("late");
    await clock.settle();
    expect(limit.snapshot?.()).toMatchObject({ active: {}, queued: {} });
  });
});

describe("what a failure is", () => {
  it("tells 429 from 500, once, at the upstream", async () => {
    let status = 429;
    const failing = upstream((_: number): Promise<string> =>
      Promise.reject(Object.assign(new Error("no"), { status })),
    );
    const breaker = circuitBreaker({ minimumCalls: 1, window: { calls: 1 } });
    const ask = createClient(failing, breaker);
    expect(await ask.outcome(1)).toMatchObject({ status: "failed", fault: "overload", retryable: true });
    status = 400;
    expect(await ask.outcome(1)).toMatchObject({ status: "failed", fault: "caller", retryable: false });
    expect(breaker.snapshot?.()).toMatchObject({ "": { calls: 0 } });
    status = 500;
    expect(await ask.outcome(1)).toMatchObject({ status: "failed", fault: "upstream", retryable: true });
    expect((await ask.outcome(1)).status).toBe("refused");
  });
});

describe("usage", () => {
  it("is told at the end of a stream to whoever settles by it", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, AsyncIterable<string>>();
    const { seen, policy } = observer();
    const ask = createClient({ upstream: script.upstream, runtime: clock }, policy);
    const asked = ask("x");
    const call = await script.next();
    const stream = call.stream("a");
    const read = (async () => {
      const items: string[] = [];
      for await (const item of await asked) items.push(item);
      return items;
    })();
    stream.push("b");
    call.call.usage = { totalTokens: 42 };
    stream.end();
    expect(await read).toEqual(["a", "b"]);
    expect(seen.defer).toMatchObject({ status: "answered", usage: { totalTokens: 42 } });
    expect(seen.defer?.firstTokenAt).toBeDefined();
  });
});

describe("three guards on one store", () => {
  function batchStore(refuse?: string) {
    const trips: string[][] = [];
    const consumed: string[] = [];
    return {
      trips,
      consumed,
      store: {
        decide: (ask: string) => Promise.resolve(ask !== refuse),
        decideAll(asks: readonly string[]) {
          trips.push([...asks]);
          const refused = asks.includes(refuse as string);
          if (!refused) consumed.push(...asks);
          return Promise.resolve(asks.map((ask) => ask !== refuse));
        },
      },
    };
  }
  const member = (name: string, store: ReturnType<typeof batchStore>["store"]) =>
    guard<unknown, string, boolean>("member", {
      name,
      store,
      ask: () => name,
      judge: (ok) => (ok ? undefined : { by: name, code: "NO" }),
    });
  const ok = upstream(() => "ok");

  it("cost one round trip", async () => {
    const { store, trips } = batchStore();
    const ask = createClient(ok, member("a", store), member("b", store), member("c", store));
    expect(await ask(1)).toBe("ok");
    expect(trips).toEqual([["a", "b", "c"]]);
    expect(ask.describe().policies[0]?.together).toEqual(["a", "b", "c"]);
  });

  it("are all or nothing, and written order says who refused", async () => {
    const { store, consumed } = batchStore("b");
    const ask = createClient(ok, member("a", store), member("b", store), member("c", store));
    expect(await ask.outcome(1)).toMatchObject({ status: "refused", refusal: { by: "b" } });
    expect(consumed).toEqual([]);
  });

  it("are split by what stands between them, and describe() says so", async () => {
    const { store, trips } = batchStore();
    const ask = createClient(ok, member("a", store), timeout({ total: "1s" }), member("b", store));
    await ask(1);
    expect(trips).toEqual([]);
    expect(ask.describe().lints).toMatchObject([{ code: "split-round-trip" }]);
  });
});

describe("a finalizer that throws", () => {
  it("changes nothing but an event, and the others run", async () => {
    const events: BreakwaterEvent[] = [];
    const order: string[] = [];
    const clumsy = guard("clumsy", {
      name: "clumsy",
      admit(call) {
        call.defer(() => order.push("first"));
        call.defer(() => {
          order.push("second");
          throw new Error("clumsy");
        });
        call.defer(() => order.push("third"));
        return undefined;
      },
    });
    const ask = createClient(
      upstream(() => "fine"),
      clumsy,
    );
    ask.on((event) => events.push(event));
    ask.on(() => {
      throw new Error("a listener too");
    });
    expect(await ask(1)).toBe("fine");
    expect(order).toEqual(["third", "second", "first"]);
    expect(events.filter((event) => event.type === "callback-throw").length).toBeGreaterThan(0);
  });
});

describe("an idle stream", () => {
  it("is ended by its clock, in the reader's hands, and stands still while the reader is slow", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, AsyncIterable<string>>();
    const { seen, policy } = observer();
    const ask = createClient(
      { upstream: script.upstream, runtime: clock },
      policy,
      retry(),
      timeout({ idle: 1_000 }),
    );
    const asked = ask("x");
    const stream = (await script.next()).stream("a");
    const reader = (await asked)[Symbol.asyncIterator]();
    expect(await reader.next()).toMatchObject({ value: "a" });
    await clock.advance(30_000); // a slow reader is not an idle upstream
    expect(seen.defer).toBeUndefined();
    stream.push("b");
    expect(await reader.next()).toMatchObject({ value: "b" });
    const silent = reader.next().catch((error: unknown) => error);
    await clock.advance(1_000);
    const error = await silent;
    expect(TimedOutError.isInstance(error) && error.clock).toBe("idle");
    expect(seen.defer).toMatchObject({ status: "failed", fault: "upstream", retryable: false });
    expect(stream.stopped).toBe(true);
    expect(script.calls).toBe(1); // what has been delivered is never asked for again
    expect(clock.pending).toBe(0);
  });
});

describe("order", () => {
  it("as written: the first policy is the outermost", async () => {
    const order: string[] = [];
    const named = (name: string) =>
      around(name, {
        name,
        run(call, next) {
          order.push(name);
          return next(call.fork());
        },
      });
    const ask = createClient(
      upstream(() => "x"),
      named("a"),
      createPipeline(named("b"), named("c")),
      named("d"),
    );
    await ask(1);
    expect(order).toEqual(["a", "b", "c", "d"]);
    expect(ask.describe().policies.map((policy) => policy.name)).toEqual(["a", "b", "c", "d"]);
  });
});

describe("nesting", () => {
  it("counts a policy instance once in one call", async () => {
    const limit = bulkhead({ concurrency: 1 });
    const inner = createClient(
      upstream(() => "in"),
      limit,
    );
    const outer = createClient(inner, limit);
    const wrapped = createClient(
      upstream((request: number, { signal }) => inner(request, { signal })),
      limit,
    );
    expect(await outer(1)).toBe("in");
    expect(await wrapped(1)).toBe("in");
    expect(limit.snapshot?.()).toMatchObject({ active: {} });
  });

  it("makes one attempt of a retry in a retry, and says so", async () => {
    const script = { calls: 0 };
    const failing = upstream((_: number): Promise<string> => {
      script.calls++;
      return Promise.reject(Object.assign(new Error("busy"), { status: 503 }));
    });
    const inner = createClient(failing, retry({ attempts: 3, baseDelay: 0 }));
    const outer = createClient(
      upstream((r: number, { signal }) => inner(r, { signal })),
      retry({ attempts: 2, baseDelay: 0 }),
    );
    const events: BreakwaterEvent[] = [];
    inner.on((event) => events.push(event));
    const outcome = await outer.outcome(1);
    expect(outcome).toMatchObject({ status: "failed", error: { message: "busy" }, retryable: true });
    expect(script.calls).toBe(2);
    expect(events.filter((event) => event.type === "retry-stop")).toMatchObject([
      { because: "nested" },
      { because: "nested" },
    ]);
  });

  it("keeps a cancellation a cancellation, with its own reason", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const inner = createClient({ upstream: script.upstream, runtime: clock });
    const outer = createClient(
      { upstream: upstream((r: string, { signal }) => inner(r, { signal })), runtime: clock },
      retry(),
    );
    const controller = new AbortController();
    const asked = outer.outcome("x", { signal: controller.signal });
    await script.next();
    const reason = { why: "tab closed" };
    controller.abort(reason);
    expect(await asked).toMatchObject({ status: "cancelled", reason });
    expect(script.calls).toBe(1);
  });
});

describe("an answer that is not returned", () => {
  it("is discarded: its body is cancelled", async () => {
    let cancelled = 0;
    const ask = createClient(
      upstream(() => ({ status: 503, body: { cancel: () => Promise.resolve(cancelled++) } })),
      retry({
        attempts: 3,
        baseDelay: 0,
        when: (outcome) => outcome.status === "answered" && outcome.value.status === 503,
      }),
    );
    expect((await ask(1)).status).toBe(503);
    expect(cancelled).toBe(2); // the last one is the caller's
    discard(answered({ body: { cancel: () => Promise.resolve(cancelled++) } }, { callId: "x", attempts: 1 }));
    expect(cancelled).toBe(3);
  });
});

describe("every entry", () => {
  it("can be awaited: no module is a thenable", async () => {
    const packages = join(import.meta.dirname, "../..");
    for (const name of readdirSync(packages)) {
      const entry = (await import(join(packages, name, "src/index.ts"))) as Record<string, unknown>;
      expect({ name, ...entry }).not.toHaveProperty("then");
    }
  });
});

describe("what is in memory", () => {
  it("is answered without a promise", () => {
    const ask = createClient(
      upstream((n: number) => n + 1),
      retry(),
      circuitBreaker(),
      bulkhead({ concurrency: 1 }),
      timeout({ total: "1m" }),
    );
    expect(ask.outcome(1)).toMatchObject({ status: "answered", value: 2 });
  });
});
