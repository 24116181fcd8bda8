import {
  cache,
  type Client,
  circuitBreaker,
  createClient,
  createPipeline,
  fallback,
  rateLimit,
  retry,
  timeout,
  upstream,
} from "@breakwater/core";
import { createDeepSeek } from "@breakwater/deepseek";
import { type Simulator, startSimulator } from "@breakwater/simulator";
import { createTestClock, scriptedUpstream, type TestClock } from "@breakwater/testing";
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AlwaysOffSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { spans } from "./spans.ts";

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterAll(() => {
  context.disable();
});

const START = Date.UTC(2026, 0, 1);

function setUp(wallStart = START) {
  const clock = createTestClock({ wallStart });
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const tracer = provider.getTracer("test");
  return { clock, tracer, options: { tracer, runtime: clock }, done: () => exporter.getFinishedSpans() };
}

const ms = ([seconds, nanos]: readonly [number, number]): number => seconds * 1_000 + nanos / 1e6;
const parentOf = (span: ReadableSpan): string | undefined => span.parentSpanContext?.spanId;
const idOf = (span: ReadableSpan | undefined): string | undefined => span?.spanContext().spanId;

function one(all: readonly ReadableSpan[], name: string): ReadableSpan {
  const found = all.filter((span) => span.name === name);
  expect(found, `${name} among ${all.map((span) => span.name).join(", ")}`).toHaveLength(1);
  return found[0] as ReadableSpan;
}

describe("a span for each call", () => {
  it("lasts from the call's start to its end, by the wall clock, and has one for each request inside", async () => {
    const { clock, done, options } = setUp();
    const script = scriptedUpstream();
    const ask = createClient(
      { upstream: script.upstream, runtime: clock, name: "shop" },
      retry({ attempts: 2, delay: () => 100 }),
    );
    spans(ask, options);
    await clock.advance(500);
    const asked = ask("a", { callId: "c-1" });
    const first = await script.next();
    await clock.advance(20);
    first.fail(Object.assign(new Error("a secret"), { code: "ECONNRESET" }));
    const second = await clock.until(script.next());
    await clock.advance(30);
    second.answer("b");
    await asked;

    const call = one(done(), "call shop");
    const [one1, two] = done().filter((span) => span.name === "attempt shop");
    expect(done()).toHaveLength(3);
    expect(parentOf(call)).toBeUndefined();
    expect([parentOf(one1 as ReadableSpan), parentOf(two as ReadableSpan)]).toEqual([idOf(call), idOf(call)]);
    expect([call.kind, one1?.kind]).toEqual([SpanKind.INTERNAL, SpanKind.CLIENT]);
    expect([ms(call.startTime), ms(call.endTime)]).toEqual([START + 500, START + 650]);
    expect([ms(one1?.startTime ?? [0, 0]), ms(one1?.endTime ?? [0, 0])]).toEqual([START + 500, START + 520]);
    expect(call.attributes).toMatchObject({
      "breakwater.client": "shop",
      "breakwater.call_id": "c-1",
      "breakwater.attempts": 2,
      "breakwater.outcome": "answered",
    });
    expect(call.status.code).toBe(SpanStatusCode.UNSET);
    expect(one1?.status).toEqual({ code: SpanStatusCode.ERROR, message: "ECONNRESET" });
    expect(one1?.attributes).toMatchObject({
      "breakwater.attempt": 1,
      "breakwater.fault": "upstream",
      "error.type": "ECONNRESET",
    });
    expect(two?.attributes).toMatchObject({ "breakwater.attempt": 2, "breakwater.outcome": "answered" });
    const [wait] = call.events;
    expect(wait).toMatchObject({ name: "breakwater.retry-wait", attributes: { "breakwater.ms": 100 } });
    expect(ms(wait?.time ?? [0, 0])).toBe(START + 520);
  });

  it("is a child of the span that is active where the call is made", async () => {
    const { clock, done, options, tracer } = setUp();
    const ask = createClient({ upstream: upstream(async (text: string) => text), runtime: clock });
    spans(ask, options);
    const request = tracer.startSpan("GET /");
    await context.with(trace.setSpan(context.active(), request), () => ask("a"));
    request.end();
    expect(parentOf(one(done(), "call client"))).toBe(idOf(one(done(), "GET /")));
  });

  it("stands inside the attempt of the call in whose work it is made, whoever gave both one id", async () => {
    const { clock, done, options } = setUp();
    const inner = createClient({
      upstream: upstream(async (text: string) => text),
      runtime: clock,
      name: "inner",
    });
    const outer = createPipeline({ name: "outer", runtime: clock });
    spans([inner, outer], options);
    await outer.execute(({ signal }) => inner("a", { signal, callId: "same" }), { callId: "same" });
    const attempt = one(done(), "attempt outer");
    expect(parentOf(attempt)).toBe(idOf(one(done(), "call outer")));
    expect(parentOf(one(done(), "call inner"))).toBe(idOf(attempt));
    expect(parentOf(one(done(), "attempt inner"))).toBe(idOf(one(done(), "call inner")));
  });

  it("stands inside a span of the work's own, where there is one", async () => {
    const { clock, done, options, tracer } = setUp();
    const inner = createClient({
      upstream: upstream(async (text: string) => text),
      runtime: clock,
      name: "inner",
    });
    const outer = createPipeline({ name: "outer", runtime: clock });
    spans([inner, outer], options);
    await outer.execute(({ signal }) =>
      tracer.startActiveSpan("look up", async (span) => {
        await inner("a", { signal });
        span.end();
      }),
    );
    expect(parentOf(one(done(), "call inner"))).toBe(idOf(one(done(), "look up")));
  });

  it("tells a client within a client as two calls with one attempt, of the inner one", async () => {
    const { clock, done, options } = setUp();
    const inner = createClient({
      upstream: upstream(async (text: string) => text),
      runtime: clock,
      name: "inner",
    });
    const outer = createClient({ upstream: inner, runtime: clock, name: "outer" }, retry());
    spans([inner, outer], options);
    await outer("a");
    expect(done().map((span) => span.name)).toEqual(["attempt inner", "call inner", "call outer"]);
    expect(parentOf(one(done(), "call inner"))).toBe(idOf(one(done(), "call outer")));
  });

  it("takes a client that is given twice once", async () => {
    const { clock, done, options } = setUp();
    const deepseek = createDeepSeek({ apiKey: "sk-test-0000", runtime: clock, fetch: refused });
    spans([deepseek, deepseek.client], options);
    await clock.until(deepseek.chat({ messages: [{ role: "user", content: "Hi" }] }).catch(() => undefined));
    expect(done().filter((span) => span.kind === SpanKind.INTERNAL)).toHaveLength(1);
  });

  it("lasts for an hour when the stream does, and tells when the first token came", async () => {
    const { clock, done, options } = setUp();
    const script = scriptedUpstream<string, AsyncIterable<string>>({ marks: ["dispatched", "token"] });
    const ask = createClient({ upstream: script.upstream, runtime: clock, name: "long" });
    spans(ask, options);
    const asked = ask("a");
    const scripted = await script.next();
    await clock.advance(200);
    const stream = scripted.stream("one");
    const [first] = [await asked];
    const reading = (async () => {
      for await (const _ of first);
    })();
    await clock.advance(3_600_000);
    expect(done()).toEqual([]);
    stream.end();
    await clock.until(reading);
    await clock.settle();
    const call = one(done(), "call long");
    expect(ms(call.duration)).toBeGreaterThanOrEqual(3_600_000);
    expect(call.attributes["breakwater.first_token_ms"]).toBe(200);
    const [token] = one(done(), "attempt long").events;
    expect([token?.name, ms(token?.time ?? [0, 0])]).toEqual(["breakwater.first-token", START + 200]);
  });
});

/** Both clocks go on together until the promise settles. */
async function bothUntil<T>(promise: Promise<T>, sim: Simulator, clock: TestClock): Promise<T> {
  let settled = false;
  const done = (): void => void (settled = true);
  promise.then(done, done);
  for (let gone = 0; !settled && gone < 600_000; gone += 10) {
    await sim.advance(10);
    await clock.advance(10);
  }
  expect(settled).toBe(true);
  return promise;
}

const refused: typeof fetch = () => Promise.reject(new TypeError("fetch failed"));

describe("what a span says of a call without an answer", () => {
  it("has no attempt and names the refusal, where a policy refused", async () => {
    const { clock, done, options } = setUp();
    const ask = createClient(
      { upstream: upstream(async (text: string) => text), runtime: clock, name: "busy" },
      rateLimit({ name: "account", limits: { requests: { limit: 1, per: "1m" } } }),
    );
    await ask("a");
    spans(ask, options);
    await ask.outcome("b");
    expect(done()).toHaveLength(1);
    const call = one(done(), "call busy");
    expect(call.status).toEqual({ code: SpanStatusCode.ERROR, message: "RATE_LIMITED" });
    expect(call.attributes).toMatchObject({
      "breakwater.outcome": "refused",
      "breakwater.refused_by": "account",
      "breakwater.attempts": 0,
      "error.type": "RATE_LIMITED",
    });
    expect(call.events.map((event) => event.name)).toEqual(["breakwater.call-refused"]);
    expect(call.events[0]?.attributes).toMatchObject({ "breakwater.refusal.code": "RATE_LIMITED" });
  });

  it("is no error where the caller left", async () => {
    const { clock, done, options } = setUp();
    const script = scriptedUpstream();
    const ask = createClient({ upstream: script.upstream, runtime: clock, name: "left" });
    spans(ask, options);
    const leaving = new AbortController();
    const asked = ask.outcome("a", { signal: leaving.signal });
    await script.next();
    leaving.abort();
    await asked;
    for (const span of done()) {
      expect(span.status.code).toBe(SpanStatusCode.UNSET);
      expect(span.attributes).toMatchObject({ "breakwater.outcome": "cancelled" });
    }
    expect(done()).toHaveLength(2);
    expect(one(done(), "call left").attributes["breakwater.cancelled_by"]).toBe("caller");
  });

  it("names the clock's error, and the circuit that opens as an event without its key", async () => {
    const { clock, done, options } = setUp();
    const script = scriptedUpstream();
    const ask = createClient(
      { upstream: script.upstream, runtime: clock, name: "slow" },
      circuitBreaker({ name: "host", key: () => "customer-17", minimumCalls: 1, failureRate: 0.5 }),
      timeout({ total: "1s" }),
    );
    spans(ask, options);
    await clock.until(ask.outcome("a"));
    const call = one(done(), "call slow");
    expect(call.attributes["error.type"]).toBe("TIMED_OUT");
    expect(call.events.map((event) => event.name)).toEqual([
      "breakwater.clock-ran-out",
      "breakwater.breaker-open",
    ]);
    expect(JSON.stringify(call.events)).not.toContain("customer-17");
    script.next().then(
      (late) => late.answer("late"),
      () => undefined,
    );
    await clock.settle();
  });

  it("tells tenants and keys where that is asked for", async () => {
    const { clock, done, options } = setUp();
    const ask = createClient(
      {
        upstream: upstream(async (_: string): Promise<string> => Promise.reject(new Error("no"))),
        runtime: clock,
        name: "ids",
      },
      circuitBreaker({ name: "host", key: () => "customer-17", minimumCalls: 1, failureRate: 0.5 }),
    );
    spans(ask, { ...options, identities: true });
    await ask.outcome("a", { tenant: "anna" });
    const call = one(done(), "call ids");
    expect(call.attributes["breakwater.tenant"]).toBe("anna");
    expect(call.events[0]?.attributes).toMatchObject({ "breakwater.key": "customer-17" });
  });
});

describe("a chat", () => {
  const messages = [{ role: "user" as const, content: "Hello" }];

  it("is told by the GenAI conventions: on the call, over all attempts, and its tokens once", async () => {
    const { clock, done, options } = setUp(Date.UTC(2026, 10, 23));
    const sim = await startSimulator({ clock: "manual", faults: [{ action: ["503", "none"] }] });
    const deepseek = createDeepSeek({ apiKey: sim.key, fetch: sim.fetch, runtime: clock });
    spans(deepseek, options);
    const { meta } = await bothUntil(deepseek.chat.full({ messages, model: "deepseek-flash" }), sim, clock);
    await sim.close();
    const call = one(done(), "chat deepseek-flash");
    const usage = meta.usage;
    expect(usage?.promptTokens).toBeGreaterThan(0);
    expect(call.attributes).toMatchObject({
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "deepseek",
      "gen_ai.request.model": "deepseek-flash",
      "gen_ai.response.model": meta.model,
      "gen_ai.usage.input_tokens": usage?.promptTokens,
      "gen_ai.usage.output_tokens": usage?.completionTokens,
      "breakwater.attempts": 2,
      "breakwater.target": "deepseek",
    });
    expect(call.attributes["breakwater.cost_usd"]).toBeGreaterThan(0);
    expect(call.attributes["breakwater.waste_usd"]).toBe(0); // a 503 costs nothing
    const [failed, answered] = done().filter((span) => span.name === "attempt deepseek");
    expect(failed?.attributes).toMatchObject({
      "error.type": "OVERLOADED",
      "http.response.status_code": 503,
      "breakwater.model": "deepseek-flash",
    });
    expect(answered?.attributes).toMatchObject({ "breakwater.tokens.prompt": usage?.promptTokens });
    for (const attempt of [failed, answered])
      expect(Object.keys(attempt?.attributes ?? {}).filter((name) => name.startsWith("gen_ai"))).toEqual([]);
  });

  it("tells the time to the first chunk of a stream, and who does what as the user says", async () => {
    const { clock, done, options } = setUp();
    const sim = await startSimulator({ clock: "manual" });
    const deepseek = createDeepSeek({ apiKey: sim.key, fetch: sim.fetch, runtime: clock });
    spans(deepseek, { ...options, operation: "generate_content", provider: "azure.ai.inference" });
    const reading = (async () => {
      for await (const _ of deepseek.stream({ messages }));
    })();
    await bothUntil(reading, sim, clock);
    await sim.close();
    const call = one(done(), "generate_content deepseek-flash");
    expect(call.attributes["gen_ai.provider.name"]).toBe("azure.ai.inference");
    const first = call.attributes["gen_ai.response.time_to_first_chunk"] as number;
    expect(first).toBeGreaterThan(0);
    expect(first).toBe((call.attributes["breakwater.first_token_ms"] as number) / 1_000);
    expect(first * 1_000).toBeLessThan(ms(call.duration));
  });

  it("counts no tokens for an answer from the cache", async () => {
    const { clock, done, options } = setUp();
    const sim = await startSimulator({ clock: "manual" });
    const deepseek = createDeepSeek({
      apiKey: sim.key,
      fetch: sim.fetch,
      runtime: clock,
      policies: [timeout({ total: "10m" }), cache({ ttl: "1h", shared: true })],
    });
    await bothUntil(deepseek.chat({ messages }), sim, clock);
    spans(deepseek, options);
    await deepseek.chat({ messages });
    await sim.close();
    expect(done()).toHaveLength(1);
    const call = one(done(), "call deepseek");
    expect(call.attributes).toMatchObject({ "breakwater.cache": "hit", "breakwater.attempts": 0 });
    expect(call.attributes["breakwater.saved_tokens"]).toBeGreaterThan(0);
    expect(Object.keys(call.attributes).filter((name) => name.startsWith("gen_ai"))).toEqual([]);
  });
});

describe("work that outlives its call", () => {
  it("has its attempt end with its own end, inside the call that is over", async () => {
    const { clock, done, options } = setUp();
    const { ask, script } = flying(clock);
    spans(ask, options);
    const leaving = new AbortController();
    const asked = ask.outcome("a", { signal: leaving.signal, tenant: "t" });
    const scripted = await script.next();
    const joined = ask("a", { tenant: "t" });
    leaving.abort();
    await asked;
    const call = one(done(), "call flight");
    expect(done()).toHaveLength(1);
    await clock.advance(1_000);
    scripted.answer("later");
    await joined;
    const attempt = one(done(), "attempt flight");
    expect(parentOf(attempt)).toBe(idOf(call));
    expect(ms(attempt.endTime)).toBe(ms(call.endTime) + 1_000);
  });

  it("stands where its call stood, when it begins after it", async () => {
    const { clock, done, options, tracer } = setUp();
    const { ask, script } = flying(clock);
    spans(ask, options);
    const request = tracer.startSpan("GET /");
    await context.with(trace.setSpan(context.active(), request), async () => {
      const asked = ask("a", { tenant: "t" });
      (await script.next()).answer("b");
      await asked;
      await clock.advance(70_000);
      await ask("a", { tenant: "t" });
    });
    (await script.next()).answer("fresh");
    await clock.settle();
    const attempts = done().filter((span) => span.name === "attempt flight");
    expect(attempts).toHaveLength(2);
    const ids = [...done().map(idOf), idOf(request as unknown as ReadableSpan)];
    for (const attempt of attempts) expect(ids).toContain(parentOf(attempt));
  });

  function flying(clock: TestClock): {
    readonly ask: Client<string, string>;
    readonly script: ReturnType<typeof scriptedUpstream<string, string>>;
  } {
    const script = scriptedUpstream({ key: (request: string) => request });
    const ask = createClient(
      { upstream: script.upstream, runtime: clock, name: "flight" },
      cache({ ttl: "1m", staleWhileRevalidate: "10m" }),
    );
    return { ask, script };
  }
});

describe("ends", () => {
  it("gives the spans that are open an end, and makes no further ones", async () => {
    const { clock, done, options } = setUp();
    const script = scriptedUpstream();
    const ask = createClient({ upstream: script.upstream, runtime: clock });
    const stop = spans(ask, options);
    const asked = ask("a");
    const scripted = await script.next();
    stop();
    expect(done()).toHaveLength(2);
    scripted.answer("b");
    await asked;
    expect(done()).toHaveLength(2);
  });

  it("leaves what was begun before it came alone", async () => {
    const { clock, done, options } = setUp();
    const script = scriptedUpstream();
    const ask = createClient({ upstream: script.upstream, runtime: clock });
    const asked = ask("a");
    const scripted = await script.next();
    const stop = spans(ask, options);
    scripted.answer("b");
    await asked;
    stop();
    expect(done()).toEqual([]);
  });

  it("has bounds: of very many calls at a time some have no spans, and those after them have", async () => {
    const { clock, done, options } = setUp();
    let open: (text: string) => void = () => {};
    const gate = new Promise<string>((resolve) => {
      open = resolve;
    });
    const ask = createClient({ upstream: upstream((_: string) => gate), runtime: clock, name: "many" });
    const asked = [];
    spans(ask, options);
    for (let i = 0; i < 10_100; i++) asked.push(ask("a"));
    open("b");
    await Promise.all(asked);
    expect(done()).toHaveLength(20_000);
    await ask("c");
    expect(done()).toHaveLength(20_002);
  });

  it("says nothing into spans that are not sampled, and nobody notices", async () => {
    const { clock } = setUp();
    const exporter = new InMemorySpanExporter();
    const provider = new BasicTracerProvider({
      sampler: new AlwaysOffSampler(),
      spanProcessors: [new SimpleSpanProcessor(exporter)],
    });
    const ask = createClient({ upstream: upstream(async (text: string) => text), runtime: clock });
    const thrown: unknown[] = [];
    ask.on((event) => event.type === "callback-throw" && thrown.push(event.error));
    spans(ask, { tracer: provider.getTracer("off"), runtime: clock });
    expect(await ask("a")).toBe("a");
    expect([exporter.getFinishedSpans(), thrown]).toEqual([[], []]);
  });

  it("uses the global provider where no tracer is given, and does nothing where there is none", async () => {
    const ask = createClient(
      { upstream: upstream(async (text: string) => text) },
      fallback({ value: () => "b" }),
    );
    const stop = spans(ask);
    expect(await ask("a")).toBe("a");
    stop();
  });
});

describe("options", () => {
  it("say what is wrong with them", () => {
    const ask = createClient({ upstream: upstream(async (text: string) => text) });
    expect(() => spans("deepseek" as never)).toThrow("spans: a client is expected");
    expect(() => spans(ask, { tracer: trace as never })).toThrow("spans: tracer must be a tracer");
    expect(() => spans(ask, { operation: "" })).toThrow("spans: operation must be a string");
    expect(() => spans(ask, { provider: 3 as never })).toThrow("spans: provider must be a string");
    expect(() => spans(ask, { tenants: true } as never)).toThrow('spans: unknown option "tenants"');
  });
});
