import {
  type BreakwaterEvent,
  bulkhead,
  cache,
  circuitBreaker,
  createPipeline,
  type Ending,
  guard,
  type Policy,
  retry,
  timeout,
  upstream,
  createClient,
} from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import { describe, expect, test } from "vitest";

import { createDeepSeek } from "../deepseek.ts";
import { bench, inUse, readAll, sse, STREAM } from "../fake-fetch.test-help.ts";
import { hosts, vllm } from "../hosts.ts";
import { recommended } from "../recommended.ts";
import { type ChatAnswer, type ChatChunk, type ChatRequest, isStream } from "../types.ts";
import type { DeepSeekUpstreamOptions } from "../upstream-options.ts";
import { resume } from "./index.ts";

const DONE = sse.finish() + sse.done;
const EMPTY_ROLE = sse.role.replaceAll('"c1"', '"c2"');

interface Given {
  readonly policies?: readonly Policy[];
  readonly options?: DeepSeekUpstreamOptions;
  readonly request?: Partial<ChatRequest>;
  /** What comes before the stream can break. */
  readonly begins?: string;
}

function watching(endings: Ending[]): Policy {
  return guard("watch", {
    name: "watch",
    admit(call) {
      call.defer((ending) => endings.push(ending));
      return undefined;
    },
  });
}

/** An answer of which something has been read, and that goes on being read. */
async function begun({
  policies = [resume()],
  options = {},
  request = {},
  begins = sse.role + sse.text("The sea "),
}: Given = {}) {
  const made = bench(options, ...policies);
  const events: BreakwaterEvent[] = [];
  made.ask.on((event) => events.push(event));
  const controller = new AbortController();
  const asked = made.outcome({ ...STREAM, ...request }, controller.signal);
  const body = (await made.next()).stream();
  body.push(begins);
  const answer = await asked;
  if (answer.status !== "answered") throw new Error(answer.status);
  const stream = (answer.value as AsyncIterable<ChatChunk>)[Symbol.asyncIterator]();
  const reading = readAll({ [Symbol.asyncIterator]: () => stream });
  await made.clock.settle();
  const told = (): readonly string[] =>
    events.flatMap((event) =>
      event.type === "stream-resume" ? [event.type] : event.type === "resume-stop" ? [event.because] : [],
    );
  return { ...made, answer, body, controller, events, reading, stream, told };
}

/** The stream breaks; the next one is asked for. */
async function broken(given: Given = {}) {
  const made = await begun(given);
  made.body.end();
  const rest = await made.clock.until(made.next());
  return { ...made, rest };
}

describe("a stream that breaks off", () => {
  test("goes on where it was, as one answer", async () => {
    const { answer, clock, reading, requests, rest, told } = await broken({ request: { max_tokens: 100 } });
    expect(rest.url).toBe("http://host.test/beta/chat/completions");
    expect(JSON.parse(rest.body)).toEqual({
      ...JSON.parse(requests[0]?.body ?? ""),
      max_tokens: 99,
      messages: [
        { role: "user", content: "Hi" },
        { role: "assistant", content: "The sea ", prefix: true },
      ],
    });
    const body = rest.stream();
    body.push(EMPTY_ROLE + (sse.text("is salty.") + DONE).replaceAll('"c1"', '"c2"'));
    body.end();
    const { chunks, error, text } = await reading;
    expect([text, error]).toEqual(["The sea is salty.", undefined]);
    expect(chunks.map(({ id }) => id)).toEqual(["c1", "c1", "c1", "c1"]);
    expect(chunks.map(({ choices }) => choices[0]?.delta.role)).toEqual([
      "assistant",
      ...Array(3).fill(undefined),
    ]);
    expect(answer.meta).toMatchObject({ attempts: 2, resumed: 1 });
    expect(told()).toEqual(["stream-resume"]);
    expect(await answer.end).toMatchObject({ status: "answered" });
    expect(clock.pending).toBe(0);
  });

  test.each([
    ["breaks", (body: { end(): void }) => body.end(), "STREAM_TRUNCATED"],
    ["is reset", (body: { fail(e: unknown): void }) => body.fail(new TypeError("terminated")), "TRANSPORT"],
  ])("and %s again is told how, if it may not be resumed twice", async (_, cut, code) => {
    const { answer, clock, reading, rest, told } = await broken();
    const body = rest.stream();
    body.push(sse.text("is "));
    await clock.settle();
    cut(body);
    expect(await reading).toMatchObject({ text: "The sea is ", error: { code } });
    expect(told()).toEqual(["stream-resume", "resumes"]);
    expect(await answer.end).toMatchObject({
      status: "failed",
      fault: "upstream",
      retryable: true,
      spent: true,
    });
  });

  test("and breaks again goes on once more, if it may, from all that was delivered", async () => {
    const { clock, next, reading, rest } = await broken({
      policies: [resume({ resumes: 2 })],
      request: { max_tokens: 100 },
    });
    const second = rest.stream();
    second.push(sse.role + sse.text("is "));
    await clock.settle();
    second.end();
    const last = await next();
    expect(JSON.parse(last.body)).toMatchObject({
      max_tokens: 98,
      messages: [{ role: "user" }, { content: "The sea is ", prefix: true }],
    });
    const third = last.stream();
    third.push(sse.role + sse.text("salty.") + DONE);
    third.end();
    const { chunks, text } = await reading;
    expect(text).toBe("The sea is salty.");
    expect(chunks.at(-1)).toMatchObject({ x_breakwater: { resumed: 2, estimated: true } });
  });

  test("was whole but for its finish reason: the rest may be empty", async () => {
    const { reading, rest } = await broken();
    const body = rest.stream();
    body.push(sse.role + DONE);
    body.end();
    const { chunks, error, text } = await reading;
    expect([text, error, chunks.at(-1)?.choices[0]?.finish_reason]).toEqual(["The sea ", undefined, "stop"]);
  });

  test("takes reasoning with it, and gives none of the rest's out", async () => {
    const { clock, reading, rest } = await broken({
      begins: sse.thought("salt?") + sse.text("The sea "),
    });
    expect(JSON.parse(rest.body)).toMatchObject({ messages: [{}, { reasoning_content: "salt?" }] });
    const body = rest.stream();
    body.push(sse.thought("again?"));
    await clock.settle();
    body.push(sse.text("is salty.") + DONE);
    body.end();
    const { chunks, text } = await reading;
    expect(text).toBe("The sea is salty.");
    expect(JSON.stringify(chunks)).not.toContain("again?");
  });

  test("gives it also when the host does not say why it ends", async () => {
    const { reading, rest } = await broken({ request: { stop: "ENDS" }, begins: sse.text("salt EN") });
    const body = rest.stream();
    body.push(sse.text("D") + sse.done);
    body.end();
    expect(await reading).toMatchObject({ text: "salt END", error: undefined });
  });

  test("is joined also where chunks leave out what others send", async () => {
    const bare = (more: string): string => `data: {"id":"c9","created":9,"model":"m"${more}}\n\n`;
    const { reading, rest } = await broken({
      begins: sse.text("The sea ") + bare(',"choices":[]') + bare(',"choices":[null,{"index":0}]'),
    });
    const body = rest.stream();
    body.push(bare("") + sse.text("is salty."));
    body.push(bare(',"choices":[{"index":0,"finish_reason":"stop"}]') + sse.done);
    body.end();
    const { chunks, error, text } = await reading;
    expect([text, error]).toEqual(["The sea is salty.", undefined]);
    expect(chunks.at(-1)).toMatchObject({ id: "c1", choices: [{ finish_reason: "stop" }] });
  });

  test("drops what the host only repeats, in any script", async () => {
    const { reading, rest } = await broken({ begins: sse.text("大海为什么是咸的？🌊 Rain takes ") });
    const body = rest.stream();
    body.push(sse.text("咸的？🌊 Rain") + sse.text(" takes salt") + sse.text(" 到海里。") + DONE);
    body.end();
    expect((await reading).text).toBe("大海为什么是咸的？🌊 Rain takes salt 到海里。");
  });

  test("ends where a stop string is complete, half of which had been delivered", async () => {
    const { ask, clock, reading, rest } = await broken({
      request: { stop: ["END"] },
      begins: sse.text("salt EN"),
    });
    const body = rest.stream();
    body.push(sse.text("D") + sse.text(" and more"));
    const { chunks, error, text } = await reading;
    expect([text, error]).toEqual(["salt EN", undefined]);
    expect(chunks.at(-1)).toMatchObject({
      choices: [{ finish_reason: "stop" }],
      x_breakwater: { resumed: 1, estimated: true },
    });
    await clock.settle();
    expect(body.cancelled).toBe(true);
    expect(ask.snapshot().inFlight).toBe(0);
  });

  test("gives what was held back when the rest ends", async () => {
    const { reading, rest } = await broken({ request: { stop: "ENDS" }, begins: sse.text("salt EN") });
    const body = rest.stream();
    body.push(sse.text("D") + DONE);
    body.end();
    const { chunks, text } = await reading;
    expect(text).toBe("salt END");
    expect(chunks.map(({ choices }) => choices[0]?.finish_reason)).toEqual([null, null, "stop"]);
  });
});

describe("usage", () => {
  const usage = { prompt_tokens: 10, completion_tokens: 4, total_tokens: 14 };

  test("is the sum, and an estimate where a host could not tell", async () => {
    const endings: Ending[] = [];
    const watch = watching(endings);
    const { answer, reading, rest } = await broken({ policies: [watch, resume()] });
    const body = rest.stream();
    body.push(sse.text("is salty.") + sse.finish("stop", usage) + sse.done);
    body.end();
    const last = (await reading).chunks.at(-1);
    // Of the first part: one chunk, and the prompt by the rule of thumb.
    expect(last).toMatchObject({
      usage: { prompt_tokens: 10 + 2, completion_tokens: 4 + 1, total_tokens: 14 + 3 },
      x_breakwater: { resumed: 1, estimated: true },
    });
    const sum = { promptTokens: 12, completionTokens: 5, totalTokens: 17, estimated: true };
    expect(answer.meta.usage).toEqual(sum);
    expect(endings).toMatchObject([{ status: "answered", usage: sum }]);
  });

  test("is exact where each part told it", async () => {
    const made = await begun();
    made.body.push(sse.finish("insufficient_system_resource", usage) + sse.done);
    const body = (await made.clock.until(made.next())).stream();
    body.push(sse.text("is salty.") + sse.finish("stop", usage) + sse.done);
    body.end();
    const last = (await made.reading).chunks.at(-1);
    expect(last?.usage).toEqual({ prompt_tokens: 20, completion_tokens: 8, total_tokens: 28 });
    expect(last?.x_breakwater).toEqual({ resumed: 1 });
  });

  test("of an answer that did not break is its own, also for those outside", async () => {
    const { answer, body, reading } = await begun();
    body.push(sse.finish("stop", usage) + sse.done);
    body.end();
    expect((await reading).chunks.at(-1)).not.toHaveProperty("x_breakwater");
    expect(await answer.end).toMatchObject({ usage: { totalTokens: 14 } });
    expect(answer.meta).not.toHaveProperty("resumed");
  });
});

describe("a continuation is an attempt", () => {
  test("with a permit of its own, also where there is one only; and the first counts as a failure", async () => {
    const breaker = circuitBreaker({ window: { calls: 2 }, minimumCalls: 2, failureRate: 0.9 });
    const made = await broken({
      policies: [resume(), breaker, bulkhead({ concurrency: 1, queue: 0 })],
    });
    const body = made.rest.stream();
    body.push(sse.text("is "));
    await made.clock.settle();
    expect(inUse(made.ask)).toEqual({ inFlight: 1, permits: 1 });
    body.end();
    expect((await made.reading).text).toBe("The sea is ");
    // Both have failed.
    expect(await made.outcome(STREAM)).toMatchObject({
      status: "refused",
      refusal: { code: "CIRCUIT_OPEN" },
    });
    expect(inUse(made.ask)).toEqual({ inFlight: 0, permits: 0 });
  });

  test("that waits for the permit of the one that stalled, until that has stopped", async () => {
    const made = await begun({
      policies: [resume(), bulkhead({ concurrency: 1, queue: 0 }), timeout({ idle: "60s" })],
    });
    const body = (await made.clock.until(made.next())).stream();
    expect(made.clock.now()).toBe(60_000);
    expect(made.requests[0]?.signal.aborted).toBe(true);
    body.push(sse.text("is salty.") + DONE);
    body.end();
    expect((await made.reading).text).toBe("The sea is salty.");
    expect(made.clock.pending).toBe(0);
  });

  test("that is tried again until its first token, with the same body", async () => {
    const { clock, next, reading, requests, rest } = await broken({
      policies: [resume(), retry({ attempts: 3 })],
    });
    rest.respond(503, "{}");
    const second = await clock.until(next());
    expect(second.body).toBe(rest.body);
    const empty = second.stream();
    empty.push(sse.role);
    empty.end();
    const body = (await clock.until(next())).stream();
    body.push(sse.text("is salty.") + DONE);
    body.end();
    expect((await reading).text).toBe("The sea is salty.");
    expect(requests).toHaveLength(4);
  });

  test.each([
    ["fails", [resume()]],
    ["fails for good", [resume(), retry({ attempts: 2 })]],
  ])("and when it %s, the reader is told what broke his stream", async (_, policies) => {
    const { answer, clock, next, reading, requests, rest, told } = await broken({ policies });
    rest.respond(503, "{}");
    if (policies.length > 1) (await clock.until(next())).respond(503, "{}");
    expect(await reading).toMatchObject({ text: "The sea ", error: { code: "STREAM_TRUNCATED" } });
    expect(told()).toEqual(["stream-resume", "failed"]);
    expect(requests).toHaveLength(policies.length + 1);
    expect(await answer.end).toMatchObject({ status: "failed", fault: "upstream" });
    expect(clock.pending).toBe(0);
  });

  test("that is paid from the budget of the retries", async () => {
    const { ask, body, clock, next } = await begun();
    const { available } = ask.snapshot().retryBudget;
    body.end();
    await clock.until(next());
    expect(ask.snapshot().retryBudget.available).toBe(available - 1);
  });

  test("that a total clock over the beginning does not bound, and a caller's deadline does", async () => {
    const made = bench({}, timeout({ total: "10s" }), resume(), retry());
    const asked = made.ask.outcome({ messages: [], ...STREAM }, { deadline: "60s" });
    const first = (await made.next()).stream();
    first.push(sse.text("The sea "));
    const answer = await asked;
    const reading = readAll(answer.status === "answered" && answer.value);
    await made.clock.advance(20_000);
    first.end();
    const second = await made.clock.until(made.next());
    await made.clock.advance(40_000);
    expect(second.signal.aborted).toBe(true);
    expect((await reading).error).toMatchObject({ clock: "deadline" });
    expect(inUse(made.ask).inFlight).toBe(0);
    expect(made.clock.pending).toBe(0);
  });

  test("that reads no further than its reader does", async () => {
    let pulls = 0;
    const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
    const bodies = [
      new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(encode(sse.text("The sea ")));
          controller.close();
        },
      }),
      new ReadableStream<Uint8Array>(
        { pull: (controller) => controller.enqueue(encode(sse.text(`${++pulls} `))) },
        { highWaterMark: 0 },
      ),
    ];
    const fetch = async (): Promise<Response> =>
      new Response(bodies.shift() ?? null, { headers: { "content-type": "text/event-stream" } });
    const { ask, clock, outcome } = bench({ fetch }, resume());
    const answer = await outcome(STREAM);
    if (answer.status !== "answered" || !isStream(answer.value)) throw new Error(answer.status);
    const stream = answer.value[Symbol.asyncIterator]();
    const texts: unknown[] = [];
    for (let reads = 1; reads <= 4; reads++) {
      const { value } = (await stream.next()) as IteratorYieldResult<ChatChunk>;
      texts.push(value.choices[0]?.delta.content);
      await clock.settle();
      // The continuation begins with its first chunk; from then on each read is one pull.
      expect(pulls).toBe(reads === 1 ? 0 : reads - 1);
    }
    expect(texts).toEqual(["The sea ", "1 ", "2 ", "3 "]);
    await stream.return?.();
    expect(ask.snapshot().inFlight).toBe(0);
  });
});

describe("no continuation is asked for", () => {
  test.each<[string, Partial<ChatRequest>]>([
    ["tools", { tools: [{ type: "function", function: { name: "f" } }] }],
    ["JSON mode", { response_format: { type: "json_object" } }],
    ["log probabilities", { logprobs: true }],
  ])("with %s", async (_, request) => {
    const { body, reading, requests } = await begun({ request });
    body.end();
    expect((await reading).error).toMatchObject({ code: "STREAM_TRUNCATED" });
    expect(requests).toHaveLength(1);
  });

  test("while the model thinks; where the answer begins with its content, all of it is asked for again", async () => {
    const live = await begun({ begins: sse.thought("hm") });
    live.body.end();
    expect((await live.reading).error).toMatchObject({ code: "STREAM_TRUNCATED" });
    expect(live.told()).toEqual(["no-text"]);

    const made = bench({ commitOn: "content" }, resume(), retry({ attempts: 2 }));
    const asked = made.outcome(STREAM);
    const first = (await made.next()).stream();
    first.push(sse.thought("hm"));
    first.end();
    const second = await made.clock.until(made.next());
    expect(second.url).toBe("http://host.test/chat/completions");
    expect(second.body).toBe(made.requests[0]?.body);
    second.stream().push(sse.text("x"));
    expect((await asked).status).toBe("answered");
  });

  test("of a host that asks to be left alone", async () => {
    const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
    const packets = [sse.text("The sea "), sse.error({ message: "x", type: "rate_limit_error" })];
    let asked = 0;
    const { outcome } = bench(
      {
        async fetch() {
          asked++;
          const body = new ReadableStream<Uint8Array>({
            pull(controller) {
              const packet = packets.shift();
              if (packet === undefined) controller.close();
              else controller.enqueue(encode(packet));
            },
          });
          return new Response(body, {
            headers: { "content-type": "text/event-stream", "retry-after": "20" },
          });
        },
      },
      resume(),
    );
    const answer = await outcome(STREAM);
    const { error, text } = await readAll(answer.status === "answered" && answer.value);
    expect([text, error]).toMatchObject(["The sea ", { code: "RATE_LIMIT" }]);
    expect(asked).toBe(1);
  });

  test.each([
    ["an empty account", sse.error({ message: "Insufficient Balance", type: "unknown_error" }), "QUOTA"],
    [
      "a key that was taken back",
      sse.error({ message: "no", type: "authentication_error", code: 401 }),
      "AUTH",
    ],
  ])("after %s", async (_, event, code) => {
    const { body, reading, requests, told } = await begun();
    body.push(event);
    expect((await reading).error).toMatchObject({ code });
    expect(told()).toEqual(["not-possible"]);
    expect(requests.filter(({ url }) => url.endsWith("/chat/completions"))).toHaveLength(1);
  });

  test("when the budget is empty", async () => {
    const deepseek = createDeepSeek({
      apiKey: "k",
      fetch: async () =>
        new Response(sse.text("The sea "), { headers: { "content-type": "text/event-stream" } }),
      runtime: createTestClock(),
      budget: { perSecond: 0, ratio: 0 },
      midStream: "resume",
    });
    const because: string[] = [];
    deepseek.on((event) => {
      if (event.type === "resume-stop") because.push(event.because);
    });
    expect((await readAll(deepseek.stream({ messages: [] }))).error).toMatchObject({
      code: "STREAM_TRUNCATED",
    });
    expect(because).toEqual(["budget"]);
  });

  test("once the answer is finished, nor when it is off", async () => {
    const strict = await begun({ options: { strictDone: true } });
    strict.body.push(sse.finish());
    await strict.clock.settle();
    strict.body.end();
    expect((await strict.reading).error).toMatchObject({ code: "STREAM_TRUNCATED" });
    expect(strict.requests).toHaveLength(1);

    const off = await begun({ policies: [resume({ mode: "off" })] });
    off.body.end();
    expect((await off.reading).error).toMatchObject({ code: "STREAM_TRUNCATED" });
  });

  test("twice by two that stand in one another", async () => {
    const { reading, requests, rest } = await broken({ policies: [resume({ name: "outer" }), resume()] });
    const body = rest.stream();
    body.push(sse.text("is "));
    body.end();
    expect((await reading).error).toMatchObject({ code: "STREAM_TRUNCATED" });
    expect(requests).toHaveLength(2);
  });
});

describe("a reader who leaves during the switch", () => {
  const waits: Readonly<Record<string, readonly Policy[]>> = {
    "while the host is asked": [resume(), bulkhead({ concurrency: 1 })],
    "while a retry waits": [
      resume(),
      retry({ attempts: 3, delay: () => 5_000 }),
      bulkhead({ concurrency: 1 }),
    ],
  };

  test.each(Object.entries(waits))("ends all of it %s", async (where, policies) => {
    for (const how of ["return", "abort"] as const) {
      const { answer, ask, clock, controller, reading, requests, rest, stream } = await broken({ policies });
      if (where === "while a retry waits") rest.respond(503, "{}");
      await clock.settle();
      if (how === "abort") controller.abort("closed");
      else await stream.return?.();
      await clock.settle();
      expect(await answer.end).toMatchObject({ status: "cancelled" });
      expect((await reading).error).toBe(how === "abort" ? "closed" : undefined);
      expect(rest.signal.aborted || where === "while a retry waits").toBe(true);
      expect(inUse(ask)).toEqual({ inFlight: 0, permits: 0 });
      expect(clock.pending).toBe(0);
      expect(requests).toHaveLength(2);
    }
  });

  test("or behind it, is cancelled; at the finish chunk he has been answered", async () => {
    for (const [last, status] of [
      [sse.text("x"), "cancelled"],
      [sse.finish(), "answered"],
    ] as const) {
      const endings: Ending[] = [];
      const watch = watching(endings);
      const made = bench({}, resume(), watch);
      const asked = made.outcome(STREAM);
      const first = (await made.next()).stream();
      first.push(sse.text("The sea "));
      const answer = await asked;
      if (answer.status !== "answered") throw new Error(answer.status);
      const stream = (answer.value as AsyncIterable<ChatChunk>)[Symbol.asyncIterator]();
      await stream.next();
      first.end();
      const more = stream.next();
      const body = (await made.next()).stream();
      body.push(last);
      await more;
      await stream.return?.();
      await made.clock.settle();
      expect(await answer.end).toMatchObject({ status });
      expect(endings.map((ending) => ending.status)).toEqual(["failed", status]);
      expect([made.ask.snapshot().inFlight, made.clock.pending]).toEqual([0, 0]);
    }
  });

  test("and one who only sleeps is given up, without anything left", async () => {
    const { ask, clock, next, outcome } = bench({}, resume(), bulkhead({ concurrency: 1 }));
    const asked = outcome(STREAM);
    (await next()).stream().push(sse.text("The sea "));
    await asked;
    await clock.advance(60_000);
    expect(inUse(ask)).toEqual({ inFlight: 0, permits: 0 });
    expect(clock.pending).toBe(0);
  });
});

describe("in its place", () => {
  test("stands between the limits of one's own and the retries, and shows in describe()", () => {
    const kinds = recommended({ midStream: "resume", cache: { ttl: "1m" } }).map(({ kind }) => kind);
    expect(kinds.slice(0, 4)).toEqual(["timeout", "cache", "resume", "retry"]);
    const deepseek = createDeepSeek({ apiKey: "k", midStream: { resumes: 2 } });
    const { lints, policies } = deepseek.describe();
    expect(policies.find(({ kind }) => kind === "resume")?.options).toEqual({
      name: "resume",
      mode: "enforce",
      resumes: 2,
    });
    expect(lints).toEqual([]);
    expect(recommended({ midStream: "error" }).map(({ kind }) => kind)).not.toContain("resume");
  });

  test("gives the whole answer through a cache, which does not keep it: two halves are not what was asked for", async () => {
    const { ask, clock, next, requests } = bench({}, cache({ ttl: "10m", shared: true }), resume());
    const request = { messages: [], ...STREAM };
    const asked = ask.outcome(request);
    const first = (await next()).stream();
    first.push(sse.text("The sea "));
    const answer = await asked;
    const reading = readAll(answer.status === "answered" && answer.value);
    await clock.settle();
    first.end();
    const second = (await next()).stream();
    second.push(sse.text("is salty.") + DONE);
    second.end();
    expect((await reading).text).toBe("The sea is salty.");
    const again = ask.outcome(request);
    const third = (await next()).stream();
    third.push(sse.text("The sea is salty.") + DONE);
    third.end();
    expect(await again).toMatchObject({ status: "answered", meta: { cache: "miss" } });
    expect(requests).toHaveLength(3);
  });

  test("can be changed while calls run", async () => {
    const policy = resume();
    policy.update({ resumes: 2 });
    expect(policy.describe?.()).toMatchObject({ resumes: 2 });
    expect(() => policy.update({ resumes: 3 })).toThrow("resume: resumes must be a whole number");
    expect(policy.describe?.()).toMatchObject({ resumes: 2 });
  });

  test("is refused where it could do nothing", () => {
    const own = upstream(async (request: ChatRequest): Promise<ChatAnswer> => {
      throw new Error(String(request.messages.length));
    });
    expect(() => createClient(own, resume())).toThrow("resume: this upstream cannot continue an answer");
    expect(() => createPipeline(resume())).toThrow("resume: this upstream cannot continue an answer");
    expect(() => recommended({ midStream: "resume", host: vllm({ model: "m" }) })).toThrow(
      "midStream: vllm is not known to continue texts",
    );
    expect(() => createDeepSeek({ apiKey: "k", midStream: "resume", policies: [] })).toThrow(
      "put resume() among them",
    );
    expect(() => createDeepSeek({ apiKey: "k", midStream: "again" as never })).toThrow(
      'midStream must be "error", "resume"',
    );
    expect(() => resume({ resumes: 0 })).toThrow("resumes must be a whole number from 1 to 2");
  });
});

describe("requests that end in a prefix", () => {
  const messages = [{ role: "assistant", content: "Oh", prefix: true }] as const;

  test.each([
    ["http://host.test/v1", "/beta", "http://host.test/beta/chat/completions"],
    ["http://host.test/beta", "/beta", "http://host.test/beta/chat/completions"],
    ["http://host.test/api", "/beta", "http://host.test/api/beta/chat/completions"],
    ["http://host.test", "http://beta.test/v2", "http://beta.test/v2/chat/completions"],
  ])("over %s with %s go to %s", async (baseURL, prefix, url) => {
    const { next, outcome } = bench({ baseURL, host: { ...hosts.deepseek, prefix } });
    void outcome({ messages });
    expect((await next()).url).toBe(url);
  });

  test("go where all others go, where nothing else is known", async () => {
    const { next, outcome } = bench({ host: vllm({ model: "m" }) });
    void outcome({ messages });
    expect((await next()).url).toBe("http://host.test/chat/completions");
  });
});
