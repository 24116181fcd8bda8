// What is called deep inside a call finds it by the call context, as adapters open it for each attempt.
import { AsyncLocalStorage } from "node:async_hooks";

import { describe, expect, it } from "vitest";

import { createTestClock, scriptedUpstream } from "../../testing/src/index.ts";
import {
  type Duration,
  type BreakwaterEvent,
  cache,
  type CallContext,
  createClient,
  createPipeline,
  currentContext,
  type Ending,
  type FunctionContext,
  guard,
  provideContext,
  retry,
  timeout,
  upstream,
} from "../src/index.ts";

const storage = provideContext(() => new AsyncLocalStorage<CallContext>());

/** As an adapter runs what a pipeline is put around. */
function within<T>(work: () => T): (context: FunctionContext) => T {
  return ({ signal }) => storage.run({ ...currentContext(), signal }, work);
}

const busy = (): Error => Object.assign(new Error("busy"), { status: 503 });

describe("a client called deep inside another call", () => {
  it("is a call inside it, though it is handed nothing", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const endings: Ending[] = [];
    const watch = guard("watch", {
      name: "watch",
      admit(call) {
        call.defer((ending) => endings.push(ending));
        return undefined;
      },
    });
    const ask = createClient({ upstream: script.upstream, runtime: clock });
    const pipeline = createPipeline({ runtime: clock }, watch);
    const asked = storage.run({ tenant: "of the request" }, () =>
      pipeline.outcome(
        within(() => ask("x")),
        { tenant: "t1", callId: "c1", priority: "batch", deadline: "5s" },
      ),
    );
    const { answer, call } = await script.next();
    expect([call.tenant, call.id, call.priority, call.deadline]).toEqual(["t1", "c1", "batch", 5_000]);
    call.usage = { totalTokens: 7 };
    answer("there");
    expect(await asked).toMatchObject({ status: "answered", value: "there", meta: { attempts: 1 } });
    expect(endings).toMatchObject([{ usage: { totalTokens: 7 } }]);
  });

  it("keeps its retry quiet inside a retry", async () => {
    let calls = 0;
    const ask = createClient(
      upstream((_: string): Promise<string> => {
        calls++;
        return Promise.reject(busy());
      }),
      retry({ attempts: 3, baseDelay: 0 }),
    );
    const told: BreakwaterEvent[] = [];
    ask.on((event) => told.push(event));
    const pipeline = createPipeline(retry({ attempts: 2, baseDelay: 0 }));
    await expect(pipeline.execute(within(() => ask("x")))).rejects.toThrow("busy");
    expect(calls).toBe(2);
    expect(told.filter(({ type }) => type === "retry-stop")).toMatchObject([
      { because: "nested" },
      { because: "nested" },
    ]);
  });

  it("is ended by the clock of the call around it, and as well by the signal that an SDK brings", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const ask = createClient({ upstream: script.upstream, runtime: clock });
    const pipeline = createPipeline({ runtime: clock }, timeout({ total: "1s" }));
    const sdks = [new AbortController(), new AbortController()] as const;
    const asked = sdks.map(({ signal }) => pipeline.outcome(within(() => ask("x", { signal }))));
    const [first, second] = [await script.next(), await script.next()];
    const reason = new Error("stopped by the SDK");
    sdks[0].abort(reason);
    expect(await asked[0]).toMatchObject({ status: "cancelled", reason });
    expect([first.call.ended, second.call.ended]).toEqual([true, false]);
    await clock.advance(1_000);
    expect(await asked[1]).toMatchObject({ status: "failed", error: { clock: "total" } });
    expect(second.call.reason).toMatchObject({ clock: "total" });
    for (const { answer } of [first, second]) answer("late");
    await clock.settle();
    expect([ask.snapshot().inFlight, pipeline.snapshot().inFlight, clock.pending]).toEqual([0, 0, 0]);
  });

  it("belongs to the call whose signal it is handed, not to the one of the context", async () => {
    const script = scriptedUpstream();
    const ask = createClient(script.upstream);
    const [outer, inner] = [createPipeline({ name: "outer" }), createPipeline({ name: "inner" })];
    const asked = outer.execute(
      within(() => inner.execute(({ signal }) => ask("x", { signal }), { callId: "inner" })),
      { callId: "outer" },
    );
    const { answer, call } = await script.next();
    expect(call.id).toBe("inner");
    answer("there");
    expect(await asked).toBe("there");
  });

  it("is not inside a call that is over: what is left of its context holds", async () => {
    const script = scriptedUpstream();
    const ask = createClient(script.upstream);
    let later: (() => Promise<string>) | undefined;
    await storage.run({ tenant: "t1" }, () =>
      createPipeline().execute(within(() => void (later = AsyncLocalStorage.bind(() => ask("x"))))),
    );
    const asked = later?.();
    const { answer, call } = await script.next();
    expect([call.parent, call.tenant]).toEqual([undefined, "t1"]);
    answer("there");
    expect(await asked).toBe("there");
  });
});

describe("a deadline", () => {
  it.each<[number, Duration]>([
    [500, "1s"],
    [5_000, "500ms"],
  ])("of the request in %d ms and of the call in %s: the earlier one counts", async (left, deadline) => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const ask = createClient({ upstream: script.upstream, runtime: clock });
    const asked = storage.run({ deadlineAt: clock.wallNow() + left }, () => ask.outcome("x", { deadline }));
    await script.next();
    await clock.advance(499);
    expect(ask.snapshot().inFlight).toBe(1);
    await clock.advance(1);
    expect(await asked).toMatchObject({ status: "failed", error: { clock: "deadline", ms: 500 } });
  });
});

describe("work that several share", () => {
  it("follows neither the request nor the call of whoever started it, and is one call with what it calls", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const deep = createClient({ upstream: script.upstream, runtime: clock });
    // A function that hands nothing on: what it calls has the context alone.
    const shared = createClient(
      { upstream: upstream((text: string) => deep(text)), runtime: clock },
      cache({ ttl: "1m", key: (text) => text, shared: true }),
    );
    const pipeline = createPipeline({ runtime: clock });
    const browser = new AbortController();
    const context = { signal: browser.signal, deadlineAt: clock.wallNow() + 1_000, tenant: "t1" };
    const led = storage.run(context, () => pipeline.outcome(within(() => shared("x"))));
    const joined = shared("x");
    const { answer, call } = await script.next();
    expect([call.tenant, call.parent?.detached]).toEqual(["t1", true]);
    browser.abort("left");
    expect(await led).toMatchObject({ status: "cancelled", reason: "left" });
    await clock.advance(2_000);
    expect(call.aborted).toBe(false);
    answer("there");
    expect(await joined).toBe("there");
    expect(script.calls).toBe(1);
  });
});
