import { describe, expect, it, vi } from "vitest";

import { createTestClock, scriptedUpstream } from "../../../../testing/src/index.ts";
import {
  type Call,
  circuitBreaker,
  createClient,
  createPipeline,
  fallback,
  retry,
  timeout,
  TimedOutError,
  upstream,
} from "../../index.ts";

function setup<Res = string>(
  ...policies: Parameters<typeof createClient<string, Res>> extends [unknown, ...infer P] ? P : never
) {
  const clock = createTestClock();
  const marks = ["dispatched", "connected", "headers", "alive", "token"] as const;
  const script = scriptedUpstream<string, Res>({ marks });
  return { clock, script, ask: createClient({ upstream: script.upstream, runtime: clock }, ...policies) };
}

const clockOf = (error: unknown): unknown => (TimedOutError.isInstance(error) ? error.clock : error);

describe("timeout", () => {
  it("first token: keep-alives do not extend it, and a call that queued is not sent again", async () => {
    const { clock, script, ask } = setup(
      retry({ baseDelay: 0 }),
      timeout({ firstToken: "60s", liveness: "40s" }),
    );
    const asked = ask.outcome("x");
    const { call } = await script.next();
    call.mark("headers");
    for (let i = 0; i < 4; i++) {
      await clock.advance(12_000);
      call.mark("alive");
    }
    await clock.advance(12_000);
    const outcome = await asked;
    expect(outcome).toMatchObject({
      status: "failed",
      fault: "upstream",
      retryable: false,
      error: { clock: "firstToken" },
    });
    expect(script.calls).toBe(1);
  });

  it("first token: silence without a keep-alive is worth another attempt", async () => {
    const { clock, script, ask } = setup(retry({ baseDelay: 0 }), timeout({ firstToken: "60s" }));
    const asked = ask("x");
    await script.next();
    await clock.advance(60_000);
    (await script.next()).answer("second time lucky");
    expect(await asked).toBe("second time lucky");
  });

  it.each([
    ["whose keep-alives stopped", (call: Call<string>) => call.mark("alive")],
    [
      "on which the upstream had begun to work",
      (call: Call<string>) => {
        call.mark("alive");
        call.mark("started");
      },
    ],
  ])("first token: a call %s does not queue, and is worth another attempt", async (_, mark) => {
    const { clock, script, ask } = setup(retry({ baseDelay: 0 }), timeout({ firstToken: "60s" }));
    const asked = ask("x");
    const { call } = await script.next();
    call.mark("headers");
    await clock.advance(19_000);
    mark(call);
    await clock.advance(41_000);
    (await script.next()).answer("second time lucky");
    expect(await asked).toBe("second time lucky");
  });

  it("first token: a keep-alive behind a sign of work says that the call queues all the same", async () => {
    const { clock, script, ask } = setup(retry({ baseDelay: 0 }), timeout({ firstToken: "60s" }));
    const asked = ask.outcome("x");
    const { call } = await script.next();
    call.mark("headers");
    call.mark("started");
    await clock.advance(30_000);
    call.mark("alive");
    await clock.advance(30_000);
    expect(await asked).toMatchObject({ status: "failed", retryable: false });
  });

  it("idle: what nobody has been given yet can be made again; what was given out cannot", async () => {
    const { clock, script, ask } = setup<AsyncIterable<string>>(
      retry({ baseDelay: 0 }),
      timeout({ firstToken: "30s", idle: "60s" }),
    );
    const asked = ask.outcome("x");
    const { call } = await script.next();
    call.mark("withheld");
    call.mark("token"); // satisfies the first-token clock, and starts the idle one
    await clock.advance(59_000);
    call.mark("token");
    await clock.advance(60_000);
    const second = await script.next();
    second.call.mark("withheld");
    second.call.mark("token");
    const stream = second.stream("hm");
    const answer = await asked;
    if (answer.status !== "answered") throw new Error(answer.status);
    const reader = answer.value[Symbol.asyncIterator]();
    await reader.next();
    const reading = reader.next().catch((error: unknown) => error);
    await clock.advance(60_000);
    expect(await reading).toMatchObject({ clock: "idle", retryable: false });
    expect(stream.stopped).toBe(true);
  });

  it("liveness: not one byte for longer than three keep-alives is a dead connection", async () => {
    const { clock, script, ask } = setup(timeout({ firstToken: "10m", liveness: "40s" }));
    const asked = ask("x").catch((error: unknown) => error);
    const { call } = await script.next();
    call.mark("headers");
    await clock.advance(39_000);
    call.mark("alive");
    await clock.advance(39_000);
    expect(call.aborted).toBe(false);
    await clock.advance(1_000);
    expect(clockOf(await asked)).toBe("liveness");
  });

  it("trap 62: idle is per token, longer while the model reasons", async () => {
    const { clock, script, ask } = setup<AsyncIterable<string>>(
      timeout({ idle: "60s", idleReasoning: "120s" }),
    );
    const asked = ask("x");
    const scripted = await script.next();
    scripted.call.mark("reasoning");
    const stream = scripted.stream("hm");
    const reader = (await asked)[Symbol.asyncIterator]();
    await reader.next();
    const second = reader.next();
    await clock.advance(119_000);
    stream.push("so");
    expect(await second).toMatchObject({ value: "so" });
    scripted.call.mark("answering");
    const third = reader.next().catch((error: unknown) => error);
    await clock.advance(60_000);
    expect(clockOf(await third)).toBe("idle");
  });

  it("opaque: a JSON answer in the making has no tokens to wait for", async () => {
    const { clock, script, ask } = setup(
      timeout({ headers: "30s", firstToken: "60s", idle: "60s", total: "10m" }),
    );
    const asked = ask("x");
    const { call, answer } = await script.next();
    call.mark("opaque");
    await clock.advance(300_000);
    answer("long, but whole");
    expect(await asked).toBe("long, but whole");
  });

  it("total: bounds what is done before the answer; what is done after it has until the deadline", async () => {
    const { script, ask } = setup<AsyncIterable<string>>(timeout({ total: "10s" }));
    const asked = ask("x", { deadline: "1m" });
    const { call, stream } = await script.next();
    expect(call.remainingMs).toBe(10_000);
    stream("hm");
    await asked;
    expect(call.remainingMs).toBe(60_000);
  });

  it("total: to a stream's first token, over all attempts; what is being read is not cut", async () => {
    const { clock, script, ask } = setup<AsyncIterable<string>>(timeout({ total: "10s" }));
    const asked = ask("x");
    const stream = (await script.next()).stream("a");
    const reader = (await asked)[Symbol.asyncIterator]();
    await reader.next();
    await clock.advance(30_000);
    stream.push("b");
    expect(await reader.next()).toMatchObject({ value: "b" });
    await reader.return?.();
    await clock.settle();
    expect(clock.pending).toBe(0);
  });

  it("overall: to the last token", async () => {
    const { clock, script, ask } = setup<AsyncIterable<string>>(timeout({ overall: "10s" }));
    const asked = ask("x");
    (await script.next()).stream("a");
    const reader = (await asked)[Symbol.asyncIterator]();
    await reader.next();
    const next = reader.next().catch((error: unknown) => error);
    await clock.advance(10_000);
    expect(clockOf(await next)).toBe("overall");
  });

  it("is the upstream's fault only for the attempt whose clock it was", async () => {
    const breaker = circuitBreaker({ minimumCalls: 1, window: { calls: 10 }, failureRate: 1 });
    const { clock, script, ask } = setup(
      timeout({ total: "5s" }),
      retry({ baseDelay: 0 }),
      breaker,
      timeout({ name: "attempt", firstToken: "3s" }),
    );
    const asked = ask("x").catch((error: unknown) => error);
    await script.next();
    await clock.advance(3_000);
    expect(breaker.snapshot?.()).toMatchObject({ "": { status: "open" } });
    expect(clockOf(await asked)).toMatchObject({ code: "CIRCUIT_OPEN" });

    // Closed again; this time the total runs out before the attempt's own clock: neutral to what is inside.
    void breaker.force(undefined);
    const second = ask("y", { deadline: 2_000 }).catch((error: unknown) => error);
    await script.next();
    await clock.advance(2_000);
    expect(clockOf(await second)).toBe("deadline");
    expect(breaker.snapshot?.()).toMatchObject({ "": { status: "closed", calls: 0 } });
  });

  it("trap 57: a healthy stream outlives the call that began it", async () => {
    const { clock, script, ask } = setup<AsyncIterable<string>>(timeout({ firstToken: "1s", headers: "1s" }));
    const asked = ask("x");
    const scripted = await script.next();
    const stream = scripted.stream("a");
    const reader = (await asked)[Symbol.asyncIterator]();
    await reader.next();
    await clock.advance(50_000);
    expect(scripted.call.signal.aborted).toBe(false);
    stream.end();
    expect(await reader.next()).toMatchObject({ done: true });
  });

  it("trap 58: a caller's abort is never told as a timeout", async () => {
    const { clock, script, ask } = setup(timeout({ total: "1s" }));
    const controller = new AbortController();
    const asked = ask.outcome("x", { signal: controller.signal });
    await script.next();
    await clock.advance(999);
    controller.abort();
    await clock.advance(10);
    expect(await asked).toMatchObject({ status: "cancelled", reason: controller.signal.reason });
  });

  it("trap 60: leaves no timer and no listener on a signal that lives for ever", async () => {
    const clock = createTestClock();
    const ask = createClient(
      { upstream: upstream(async (n: number) => n), runtime: clock },
      timeout({ total: "1m" }),
      retry(),
    );
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const add = vi.spyOn(signal, "addEventListener").mockImplementation(() => void listeners++);
    const remove = vi.spyOn(signal, "removeEventListener").mockImplementation(() => void listeners--);
    await Promise.all(Array.from({ length: 1_000 }, (_, i) => ask(i, { signal })));
    expect(listeners).toBe(0);
    for (let i = 0; i < 1_000; i++) await ask(i, { signal });
    expect(listeners).toBe(0);
    expect(add.mock.calls.length).toBe(remove.mock.calls.length);
    expect(add).toHaveBeenCalled();
    expect(clock.pending).toBe(0);
  });

  it("a deadline that is over sends nothing", async () => {
    const { script, ask } = setup(retry());
    expect(await ask.outcome("x", { deadline: 0 })).toMatchObject({
      status: "failed",
      fault: "caller",
      error: { clock: "deadline" },
    });
    expect(script.calls).toBe(0);
  });

  it("trap 79: a fallback covers a clock and never a caller who has left", async () => {
    const { clock, script, ask } = setup(fallback({ value: () => "canned" }), timeout({ firstToken: "1s" }));
    const asked = ask("x");
    await script.next();
    await clock.advance(1_000);
    expect(await asked).toBe("canned");
    const controller = new AbortController();
    const second = ask.outcome("y", { signal: controller.signal });
    await script.next();
    controller.abort();
    expect(await second).toMatchObject({ status: "cancelled" });
  });

  it("minimum throughput: a stream that drips keeps the idle clock content, and is ended all the same", async () => {
    const { clock, script, ask } = setup<AsyncIterable<string>>(
      timeout({ idle: "60s", minTokensPerSecond: 1, throughputWindow: "10s" }),
    );
    const asked = ask("x");
    const stream = (await script.next()).stream("0");
    const reader = (await asked)[Symbol.asyncIterator]();
    await reader.next();
    for (let i = 1; i <= 30; i++) {
      const next = reader.next();
      await clock.advance(900);
      stream.push(`${i}`);
      expect(await next).toMatchObject({ value: `${i}` });
    }
    const next = reader.next();
    await clock.advance(1_500);
    stream.push("late");
    expect(await next).toMatchObject({ value: "late" });
    const last = reader.next().catch((error: unknown) => error);
    await clock.advance(1_299);
    expect(stream.stopped).toBe(false);
    await clock.advance(1); // the tenth last of them came ten seconds ago
    expect(clockOf(await last)).toBe("throughput");
    expect(stream.stopped).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it("minimum throughput: a slow reader is not the upstream's fault", async () => {
    const { clock, script, ask } = setup<AsyncIterable<string>>(timeout({ minTokensPerSecond: 2 }));
    const asked = ask("x");
    const stream = (await script.next()).stream("0");
    const reader = (await asked)[Symbol.asyncIterator]();
    await reader.next();
    await clock.advance(50_000); // nobody reads
    stream.push("1");
    expect(await reader.next()).toMatchObject({ value: "1" });
    stream.end();
    expect(await reader.next()).toMatchObject({ done: true });
  });

  it("refuses a clock over a mark that never comes", () => {
    const plain = upstream(async (n: number) => n);
    expect(() => createClient(plain, timeout({ firstToken: "1s" }))).toThrow(
      'timeout: the firstToken clock lives on the mark "token", which this upstream never makes.',
    );
    const marking = upstream(async (n: number) => n, { marks: ["dispatched", "token"] });
    expect(() => createClient(marking, timeout({ firstToken: "1s" }))).not.toThrow();
    expect(() => createPipeline(timeout({ firstToken: "1s" }))).not.toThrow();
  });

  it.each([
    [{}, "timeout: at least one clock is required"],
    [{ total: "0s" }, "timeout: total must be longer than 0."],
    [
      { total: "10 minutes" },
      'timeout: total must be milliseconds or a string such as "500ms", "2s", "10m", got "10 minutes".',
    ],
    [{ total: Number(undefined) }, "got NaN (an environment variable that is not set?)"],
    [{ idle: "1s", throughputWindow: "5s" }, "throughputWindow says nothing without minTokensPerSecond"],
    [{ minTokensPerSecond: 900, throughputWindow: "1m" }, "hold at most 10000 tokens at 900 a second"],
    [{ firsttoken: "1s" }, 'timeout: unknown option "firsttoken"'],
  ])("says what is wrong with %j", (options, message) => {
    expect(() => timeout(options as never)).toThrow(message);
  });
});
