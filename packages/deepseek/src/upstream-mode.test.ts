import { bulkhead, retry, timeout } from "@breakwater/core";
import { startSimulator } from "@breakwater/simulator";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";

import { bench, completion, essence, fakeFetch, inUse, sse } from "./fake-fetch.test-help.ts";
import { createDeepSeek, deepseekFetch, hosts } from "./index.ts";
import { recommended } from "./recommended.ts";
import type { ChatCompletion, ChatRequest } from "./types.ts";

const streamed = { upstreamMode: "stream" } as const;
const messages = [{ role: "user", content: "Hi" }] as const;
const simulator = await startSimulator({ clock: "manual", text: { unicode: true } });
afterAll(() => simulator.close());

/** The same request to the same simulator, as if it were the first one. */
async function ask(
  request: ChatRequest,
  upstreamMode: "same" | "stream",
  headers: Record<string, string> = {},
): Promise<ChatCompletion> {
  simulator.reset();
  const deepseek = createDeepSeek({
    apiKey: simulator.key,
    baseURL: simulator.url,
    fetch: simulator.fetch,
    headers: { "x-sim-id": "the same", ...headers },
    policies: [],
    upstreamMode,
  });
  const answer = deepseek.chat(request);
  await simulator.advance(60_000);
  return answer;
}

test("a whole answer that was streamed to here is the one that JSON would have brought", async () => {
  const weather = { type: "function", function: { name: "weather" } } as const;
  const texts = fc.record({
    content: fc.string({ unit: "binary", minLength: 1, maxLength: 20 }),
    thinking: fc.constantFrom(undefined, "enabled" as const, "disabled" as const),
    tokens: fc.constantFrom(
      "reasoning=3,content=9",
      "reasoning=0,content=1",
      "reasoning=9,content=3,tools=2",
    ),
    tools: fc.constantFrom(undefined, [weather]),
    max_tokens: fc.constantFrom(undefined, 5),
    bytes: fc.integer({ min: 1, max: 7 }),
    crlf: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(texts, async ({ content, thinking, tokens, tools, max_tokens, bytes, crlf }) => {
      const request: ChatRequest = {
        messages: [{ role: "user", content }],
        ...(thinking !== undefined && { thinking: { type: thinking } }),
        ...(tools !== undefined && { tools }),
        ...(max_tokens !== undefined && { max_tokens }),
      };
      const answer = tools === undefined ? "text" : "tools";
      const headers = { "x-sim-tokens": tools === undefined ? tokens.replace(/,tools=\d/, "") : tokens };
      const one = await ask(request, "same", { ...headers, "x-sim-answer": answer });
      const fault = `fragment;bytes=${bytes};crlf=${crlf}`;
      const other = await ask(request, "stream", {
        ...headers,
        "x-sim-answer": answer,
        "x-sim-fault": fault,
      });
      expect(simulator.attempts().at(-1)).toMatchObject({ stream: true, fault });
      expect(JSON.stringify(other)).toBe(JSON.stringify(one)); // in its order of members, too
    }),
    { numRuns: 60, seed: 20_261_121 },
  );
});

test("the host is asked for a stream with usage, whoever asks", async () => {
  const { next, outcome, requests } = bench(streamed);
  const asked = outcome({ stream: false, stream_options: { include_usage: false } });
  const sent = await next();
  expect(JSON.parse(sent.body)).toMatchObject({ stream: true, stream_options: { include_usage: true } });
  expect(sent.headers.get("accept")).toBe("text/event-stream");
  const body = sent.stream();
  body.push(sse.role + sse.text("Hel") + sse.text("lo") + sse.finish() + sse.done);
  body.end();
  expect(await asked).toMatchObject({
    status: "answered",
    value: { object: "chat.completion", choices: [{ message: { role: "assistant", content: "Hello" } }] },
    meta: { usage: { totalTokens: 5 }, model: "deepseek-flash" },
  });

  const fake = fakeFetch();
  const fetch = deepseekFetch({ ...streamed, fetch: fake.fetch, policies: [] });
  const text = JSON.stringify({ messages, model: "m", stream: null });
  const response = fetch("http://host.test/chat/completions", {
    method: "POST",
    body: text,
    headers: { accept: "application/json" },
  });
  const through = await fake.next();
  expect(through.headers.get("accept")).toBe("text/event-stream");
  expect(JSON.parse(through.body)).toEqual({
    messages,
    model: "m",
    stream: true,
    stream_options: { include_usage: true },
  });
  const answer = through.stream();
  answer.push(sse.role + sse.thought("hm") + sse.text("Hello") + sse.finish() + sse.done);
  answer.end();
  const told = await response;
  expect(told.headers.get("content-type")).toBe("application/json");
  expect(await told.json()).toMatchObject({
    object: "chat.completion",
    choices: [{ message: { content: "Hello", reasoning_content: "hm" }, finish_reason: "stop" }],
  });
  expect(requests).toHaveLength(1);
});

test("is asked so where the host's profile or the options say it, and only then", async () => {
  const host = { ...hosts.openrouter, ...streamed };
  for (const [options, stream] of [
    [{}, undefined],
    [{ host }, true],
    [{ host, upstreamMode: "same" as const }, undefined],
  ] as const) {
    const { next, outcome } = bench(options);
    void outcome();
    expect((JSON.parse((await next()).body) as ChatRequest).stream).toBe(stream);
  }
  expect(() => bench({ upstreamMode: "json" as never })).toThrow(
    'upstreamMode must be one of "same", "stream"',
  );
  expect(() => deepseekFetch({ upstreamMode: "json" as never })).toThrow(
    "deepseekFetch: upstreamMode must be",
  );
});

describe("a whole answer that is streamed to here", () => {
  test.each([
    ["a clean end", (body: { end(): void }) => body.end()],
    ["a reset", (body: { fail(error: unknown): void }) => body.fail(new TypeError("terminated"))],
    ["an error", (body: { push(text: string): void }) => body.push(sse.error({ type: "server_error" }))],
    ["what is no JSON", (body: { push(text: string): void }) => body.push("data: {oops\n\n")],
    [
      "an interruption",
      (body: { push(text: string): void }) => body.push(sse.finish("insufficient_system_resource")),
    ],
  ])("is asked for again after %s in its middle, and holds its permit to its end", async (_, cut) => {
    const {
      ask: client,
      clock,
      next,
      outcome,
      requests,
    } = bench(streamed, retry({ attempts: 2 }), bulkhead({ concurrency: 1 }));
    const asked = outcome();
    const first = (await next()).stream();
    first.push(sse.role + sse.text("lost"));
    await clock.settle();
    expect(inUse(client)).toEqual({ inFlight: 1, permits: 1 });
    cut(first);
    await clock.advance(1_000);
    const second = (await next()).stream();
    second.push(sse.role + sse.text("kept"));
    await clock.settle();
    expect(inUse(client)).toEqual({ inFlight: 1, permits: 1 });
    second.push(sse.finish() + sse.done);
    second.end();
    const answer = await asked;
    expect(answer).toMatchObject({ value: { choices: [{ message: { content: "kept" } }] } });
    expect(answer.meta).toMatchObject({ attempts: 2, firstTokenMs: 1_000 });
    expect(inUse(client)).toEqual({ inFlight: 0, permits: 0 });
    expect(requests).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  test("has every clock: one that stalls in its middle is asked for again", async () => {
    const { clock, next, outcome, requests } = bench(streamed, ...recommended());
    const asked = outcome();
    const first = (await next()).stream();
    first.push(sse.role + sse.text("lost"));
    await clock.advance(60_000);
    expect(requests[0]?.signal.aborted).toBe(true);
    await clock.advance(1_000);
    const second = (await next()).stream();
    second.push(sse.role + sse.text("kept") + sse.finish() + sse.done);
    second.end();
    expect(await asked).toMatchObject({ value: { choices: [{ message: { content: "kept" } }] } });
  });

  test("is silent for no longer than a dead connection may be", async () => {
    const { clock, next, outcome } = bench(streamed, timeout({ liveness: "40s", firstToken: "180s" }));
    const asked = outcome();
    (await next()).stream();
    await clock.advance(40_000);
    expect(essence(await asked)).toMatchObject({ code: "TIMED_OUT", retryable: true });
  });

  test("ends with its caller, also where the fetch does not listen", async () => {
    const fake = fakeFetch();
    const { ask: client, clock } = bench({ ...streamed, fetch: (input) => fake.fetch(input) });
    const controller = new AbortController();
    const asked = client.outcome({ messages }, { signal: controller.signal });
    const body = (await fake.next()).stream();
    body.push(sse.role + sse.text("x"));
    await clock.settle();
    controller.abort("left");
    expect(await asked).toMatchObject({ status: "cancelled", reason: "left" });
    await clock.settle();
    expect(body.cancelled).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test("has a bound", async () => {
    const { next, outcome } = bench({ ...streamed, maxAnswerBytes: 1_000 });
    const asked = outcome();
    (await next()).stream().push(sse.role + sse.text("x".repeat(600)) + sse.text("y"));
    expect(essence(await asked)).toMatchObject({ code: "MALFORMED_RESPONSE" });
  });

  test("is nothing else: a body of JSON is not what was asked for", async () => {
    const { next, outcome } = bench(streamed);
    const asked = outcome();
    (await next()).respond(200, completion());
    expect(essence(await asked)).toMatchObject({ code: "WRONG_CONTENT_TYPE", retryable: true });
  });
});
