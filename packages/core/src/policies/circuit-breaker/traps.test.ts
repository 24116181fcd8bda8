// The traps of other breakers, each by its number, over a client: what the state machine itself promises is in the
// contract of the stores.
import { describe, expect, it } from "vitest";

import { createTestClock, scriptedUpstream } from "../../../../testing/src/index.ts";
import {
  type BreakerSnapshot,
  type BreakwaterEvent,
  bulkhead,
  cache,
  type CircuitBreaker,
  circuitBreaker,
  type CircuitBreakerOptions,
  createClient,
  createMemoryBreakerStore,
  type Ending,
  type Policy,
  retry,
  timeout,
  upstream,
} from "../../index.ts";

const busy = (): Error => Object.assign(new Error("busy"), { status: 503 });
const stateOf = (breaker: CircuitBreaker, key = ""): BreakerSnapshot | undefined =>
  (breaker.snapshot?.() as Record<string, BreakerSnapshot> | undefined)?.[key];

/** A client over a scripted upstream: a breaker that opens at two failures of two calls, for a second. */
function guarded(options: CircuitBreakerOptions<string> = {}, inside: readonly Policy[] = []) {
  const clock = createTestClock();
  const script = scriptedUpstream<string, string>();
  const breaker = circuitBreaker({ window: { calls: 2 }, openFor: "1s", ...options });
  const ask = createClient({ upstream: script.upstream, runtime: clock }, breaker, ...inside);
  const call = async (end: "answer" | "fail", request = "x"): Promise<string> => {
    const asked = ask.outcome(request);
    const scripted = await script.next();
    if (end === "answer") scripted.answer("well");
    else scripted.fail(busy());
    return (await asked).status;
  };
  const open = async (): Promise<void> => {
    await call("fail");
    await call("fail");
    expect(stateOf(breaker)?.status).toBe("open");
  };
  return { clock, script, breaker, ask, call, open };
}

describe("circuit breaker", () => {
  it("trap 1: a result of a call from before it opened moves nothing", async () => {
    const { clock, script, breaker, ask, open } = guarded();
    const early = ask.outcome("early");
    const late = await script.next();
    await open();
    await clock.advance(1_000);
    const probing = ask.outcome("probe");
    const probe = await script.next();
    late.answer("from before");
    await early;
    expect(stateOf(breaker)?.status).toBe("half-open");
    probe.fail(busy());
    await probing;
    expect(stateOf(breaker)?.status).toBe("open");
  });

  it("trap 2: a probe that never settles loses its permit after its lease", async () => {
    const { clock, script, breaker, ask, call, open } = guarded({ probeLease: "10s" });
    await open();
    await clock.advance(1_000);
    void ask.outcome("hangs");
    await script.next();
    expect(await ask.outcome("x")).toMatchObject({ status: "refused", refusal: { retryAfterMs: 10_000 } });
    await clock.advance(10_000);
    expect(await call("answer")).toBe("answered");
    expect(stateOf(breaker)?.status).toBe("closed");
  });

  it("trap 3, 19: a caller who leaves is neutral, also as a probe, whose permit comes back", async () => {
    const { clock, script, breaker, ask, call, open } = guarded();
    for (let i = 0; i < 5; i++) {
      const controller = new AbortController();
      const asked = ask.outcome("x", { signal: controller.signal });
      (await script.next()).call.onAbort(() => undefined);
      controller.abort();
      expect((await asked).status).toBe("cancelled");
    }
    expect(stateOf(breaker)).toMatchObject({ status: "closed", calls: 0 });
    await open();
    await clock.advance(1_000);
    const controller = new AbortController();
    const probing = ask.outcome("probe", { signal: controller.signal });
    await script.next();
    controller.abort();
    await probing;
    expect(stateOf(breaker)?.status).toBe("half-open");
    expect(await call("answer")).toBe("answered");
    expect(stateOf(breaker)?.status).toBe("closed");
  });

  it("trap 4: a probe that a policy further in refuses gives its permit back", async () => {
    const limit = bulkhead({ concurrency: 1 });
    const { clock, script, breaker, ask, call, open } = guarded({}, [limit]);
    await open();
    await clock.advance(1_000);
    // Somebody outside of this breaker holds the only place inside.
    const other = createClient({ upstream: script.upstream, runtime: clock }, limit);
    const holding = other.outcome("other");
    const held = await script.next();
    expect(await ask.outcome("probe")).toMatchObject({ refusal: { code: "BULKHEAD_FULL" } });
    expect(stateOf(breaker)?.status).toBe("half-open");
    held.answer("done");
    await holding;
    expect(await call("answer")).toBe("answered");
  });

  it("trap 5: exactly as many probes as said, under a burst of a thousand", async () => {
    const { clock, script, ask, open } = guarded({ probes: 3 });
    await open();
    await clock.advance(1_000);
    const outcomes = Array.from({ length: 1_000 }, async () => ask.outcome("x"));
    for (let i = 0; i < 3; i++) (await script.next()).answer("well");
    const statuses = (await Promise.all(outcomes)).map((outcome) => outcome.status);
    expect(statuses.filter((status) => status === "answered")).toHaveLength(3);
    expect(script.calls).toBe(2 + 3);
  });

  it("trap 6: after an idle hour one failure finds an empty window", async () => {
    const { clock, breaker, call } = guarded({ window: "10s", minimumCalls: 2 });
    await call("fail");
    await clock.advance(3_600_000);
    await call("fail");
    expect(stateOf(breaker)).toMatchObject({ status: "closed", calls: 1 });
  });

  it("trap 7: what was refused or came from a cache is not in the denominator", async () => {
    const cached = cache<string, string>({ ttl: "1m", shared: true, key: (request) => request });
    const { breaker, ask, call } = guarded({ window: { calls: 100 }, minimumCalls: 100 }, [cached]);
    await call("answer", "once");
    for (let i = 0; i < 10; i++) expect(await ask("once")).toBe("well");
    expect(stateOf(breaker)?.calls).toBe(1);
  });

  it("trap 8, 9: opens at the rate or above it, never below the minimum of calls; a rate is a share", async () => {
    const { breaker, call } = guarded({ window: { calls: 4 }, minimumCalls: 4, failureRate: 0.5 });
    await call("fail");
    await call("fail");
    await call("answer");
    expect(stateOf(breaker)?.status).toBe("closed");
    await call("answer");
    expect(stateOf(breaker)?.status).toBe("open");
    expect(() => circuitBreaker({ failureRate: 50 })).toThrow("for 50 % write 0.5.");
  });

  it("trap 10, 16: open is a comparison with the clock, and the time that is told is what remains", async () => {
    const { clock, ask, open, script } = guarded();
    await open();
    expect(clock.pending).toBe(0);
    await clock.advance(400);
    expect(await ask.outcome("x")).toMatchObject({ refusal: { code: "CIRCUIT_OPEN", retryAfterMs: 600 } });
    await clock.advance(599);
    expect((await ask.outcome("x")).status).toBe("refused");
    expect(script.calls).toBe(2);
  });

  it("trap 11: a snapshot is a copy", async () => {
    const { breaker, call } = guarded({ window: { calls: 10 } });
    const before = stateOf(breaker);
    await call("fail");
    expect(before).toBeUndefined();
    const then = stateOf(breaker);
    await call("fail");
    expect(then).toMatchObject({ calls: 1 });
  });

  it("trap 12: forced open beats every transition, until it is given back", async () => {
    const { clock, breaker, ask, call } = guarded();
    await breaker.force("open");
    await clock.advance(3_600_000);
    expect((await ask.outcome("x")).status).toBe("refused");
    await breaker.force("closed");
    for (let i = 0; i < 5; i++) expect(await call("fail")).toBe("failed");
    expect(stateOf(breaker)?.status).toBe("forced-closed");
    await breaker.force(undefined);
    expect(await call("answer")).toBe("answered");
  });

  it("trap 13: failures of the same moment open it once", async () => {
    const { breaker, ask, script } = guarded();
    const events: BreakwaterEvent[] = [];
    ask.on((event) => events.push(event));
    const asked = Array.from({ length: 5 }, async () => ask.outcome("x"));
    const calls = await Promise.all(asked.map(() => script.next()));
    for (const call of calls) call.fail(busy());
    await Promise.all(asked);
    expect(events.filter((event) => event.type === "breaker-open")).toHaveLength(1);
    expect(stateOf(breaker)).toMatchObject({ status: "open", openings: 1 });
  });

  it("trap 15: open for twice as long each time, up to the longest, and from the start again once it is well", async () => {
    const { clock, breaker, call, open } = guarded({ openFor: "1s", maxOpenFor: "4s", failureRate: 1 });
    await open();
    const times: (number | undefined)[] = [];
    for (let i = 0; i < 4; i++) {
      times.push(stateOf(breaker)?.openForMs);
      await clock.advance(4_000);
      await call("fail");
    }
    expect(times).toEqual([1_000, 2_000, 4_000, 4_000]);
    await clock.advance(4_000);
    for (let i = 0; i < 3; i++) await call("answer");
    await call("fail");
    await call("fail");
    expect(stateOf(breaker)?.openForMs).toBe(1_000);
  });

  it("trap 17: throws at once, throws later and a callback that throws leave no probe behind", async () => {
    const clock = createTestClock();
    let mode: "sync" | "async" | "well" = "sync";
    const breaker = circuitBreaker({ window: { calls: 1 }, minimumCalls: 1, openFor: 10 });
    const ask = createClient(
      {
        upstream: upstream((_: string) => {
          if (mode === "sync") throw busy();
          return mode === "async" ? Promise.reject(busy()) : "well";
        }),
        runtime: clock,
      },
      breaker,
    );
    for (mode of ["sync", "async", "sync"] as const) {
      expect((await ask.outcome("x")).status).toBe("failed");
      await clock.advance(100);
    }
    mode = "well";
    expect(await ask("x")).toBe("well");
    expect(stateOf(breaker)?.status).toBe("closed");
  });

  it("trap 18: a clock inside, or on the same attempt, is a failure of the upstream's", async () => {
    const { clock, breaker, ask, script } = guarded({}, [timeout({ firstToken: 50 })]);
    for (let i = 0; i < 2; i++) {
      const asked = ask.outcome("x");
      await script.next();
      await clock.advance(50);
      expect(await asked).toMatchObject({ status: "failed", fault: "upstream" });
    }
    expect(stateOf(breaker)?.status).toBe("open");
  });

  it("counts neither way what `when` says nothing of", async () => {
    const when = (ending: Ending): boolean | undefined => (ending.status === "failed" ? undefined : false);
    const { breaker, call } = guarded({ window: { calls: 10 }, when });
    for (let i = 0; i < 5; i++) await call("fail");
    await call("answer");
    expect(stateOf(breaker)).toMatchObject({ status: "closed", calls: 1 });
  });

  it("trap 20: a second policy of one name joins the circuit on its store and resets nothing", async () => {
    const store = createMemoryBreakerStore();
    const { open } = guarded({ store, name: "deepseek" });
    await open();
    const second = guarded({ store, name: "deepseek" });
    expect((await second.ask.outcome("x")).status).toBe("refused");
    const other = guarded({ store, name: "another" });
    expect(await other.call("answer")).toBe("answered");
  });

  it("trap 22: circuits by key are bounded, and apart", async () => {
    const store = createMemoryBreakerStore({ maxKeys: 3 });
    const { breaker, call, ask } = guarded({ store, key: (request) => request });
    await call("fail", "sick");
    await call("fail", "sick");
    for (let i = 0; i < 100; i++) await call("answer", `well ${i}`);
    expect(Object.keys(breaker.snapshot?.() as object).length).toBeLessThanOrEqual(3);
    expect((await ask.outcome("sick")).status).toBe("refused");
  });

  it("counts a stream as well from its first token on, and takes that back when it breaks", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, AsyncIterable<string>>();
    const breaker = circuitBreaker({ window: { calls: 2 }, failureRate: 1 });
    const ask = createClient({ upstream: script.upstream, runtime: clock }, retry(), breaker);
    for (let i = 0; i < 2; i++) {
      const asked = ask("x");
      const stream = (await script.next()).stream("a");
      const reader = (await asked)[Symbol.asyncIterator]();
      await reader.next();
      expect(stateOf(breaker)).toMatchObject({ calls: i + 1, failures: i });
      stream.fail(busy());
      await expect(reader.next()).rejects.toThrow("busy");
    }
    expect(stateOf(breaker)?.status).toBe("open");
  });

  it("tells of an opening by others, which a shared store says with its first refusal", async () => {
    const store = createMemoryBreakerStore();
    const { ask } = guarded({
      store: { ...store, decide: () => ({ retryAfterMs: 700, transition: "open" }) },
    });
    const told: BreakwaterEvent[] = [];
    ask.on((event) => void told.push(event));
    expect((await ask.outcome("x")).status).toBe("refused");
    expect(told.filter(({ type }) => type === "breaker-open")).toHaveLength(1);
  });

  it.each([
    [{ failureRate: 0 }, "circuitBreaker: failureRate must be a number from"],
    [{ window: { calls: 10 }, minimumCalls: 20 }, "is more than the window holds (10): it would never open."],
    [{ openFor: "2m", maxOpenFor: "1m" }, "circuitBreaker: maxOpenFor must not be shorter than openFor."],
    [{ window: 0 }, "circuitBreaker: window must be longer than 0."],
    [{ treshold: 0.5 }, 'circuitBreaker: unknown option "treshold"'],
  ])("says what is wrong with %j", (options, message) => {
    expect(() => circuitBreaker(options as never)).toThrow(message);
  });
});
