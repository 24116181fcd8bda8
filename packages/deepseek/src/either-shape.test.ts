// One answer, whole or as a stream: kept, shared and given out in the shape that each caller asks for.
import { bulkhead, cache, retry } from "@breakwater/core";
import { startSimulator } from "@breakwater/simulator";
import { afterAll, afterEach, describe, expect, test } from "vitest";

import { bench, readAll, sse } from "./fake-fetch.test-help.ts";
import { type ChatChunk, createDeepSeek, type DeepSeekOptions } from "./index.ts";

const simulator = await startSimulator({ clock: "manual" });
afterAll(() => simulator.close());
afterEach(() => simulator.reset());

const messages = [{ role: "user", content: "Hi" }] as const;
const tools = [{ type: "function", function: { name: "weather" } }] as const;
const caches = cache({ ttl: "1h", shared: true });

function setup(options: DeepSeekOptions = {}, headers: Record<string, string> = {}) {
  const deepseek = createDeepSeek({
    apiKey: simulator.key,
    baseURL: simulator.url,
    fetch: simulator.fetch,
    headers,
    policies: [cache({ ttl: "1h", shared: true }), bulkhead({ concurrency: 1 })],
    ...options,
  });
  const post = (body: object): Promise<Response> =>
    deepseek.fetch("http://any/chat/completions", { method: "POST", body: JSON.stringify(body) });
  return { deepseek, post };
}

/** Lets the simulator answer. */
async function whileTimePasses<T>(promise: Promise<T>): Promise<T> {
  await simulator.advance(60_000);
  return promise;
}

const cacheOf = (response: Response): string | null => response.headers.get("x-breakwater-cache");

describe.each([
  ["text", { messages, thinking: { type: "disabled" } }, {}],
  ["thinking", { messages }, {}],
  ["a tool call", { messages, tools }, { "x-sim-answer": "tools" }],
] as const)("%s", (_, request, headers) => {
  test("that was streamed is given to a caller of JSON, and as it came to one of a stream", async () => {
    const { post } = setup({}, { ...headers, "x-sim-id": "x" });
    const streamed = await whileTimePasses(post({ ...request, stream: true }));
    const wire = await streamed.text();
    const json = await post(request);
    const again = await post({ ...request, stream: true, user_id: "somebody" });
    expect([streamed, json, again].map(cacheOf)).toEqual(["miss", "hit", "hit"]);
    expect(await again.text()).toBe(wire);
    expect(simulator.attempts()).toHaveLength(1);
    const text = await json.text();

    simulator.reset();
    const fresh = setup({}, { ...headers, "x-sim-id": "x" });
    const other = await whileTimePasses(fresh.post(request));
    expect(text).toBe(await other.text());
  });

  test("that came whole is streamed to a caller of a stream, with usage as he asked for it", async () => {
    const { post } = setup({}, headers);
    const whole = await whileTimePasses(post(request));
    const body = (await whole.json()) as { usage: object; id: string };
    for (const stream_options of [undefined, { include_usage: true }]) {
      const streamed = await post({ ...request, stream: true, stream_options });
      expect(cacheOf(streamed)).toBe("hit");
      const events = (await streamed.text()).split("\n\n").map((event) => event.replace("data: ", ""));
      expect(events.slice(-2)).toEqual(["[DONE]", ""]);
      const chunks = events.slice(0, -2).map((event) => JSON.parse(event) as ChatChunk);
      expect(chunks.length).toBeGreaterThan(2);
      expect(chunks.at(-1)?.usage).toEqual(body.usage);
      for (const { id, usage } of chunks.slice(0, -1)) {
        expect(id).toBe(body.id);
        expect(usage).toBe(stream_options === undefined ? undefined : null);
      }
    }
    expect(simulator.attempts()).toHaveLength(1);
  });

  test.each(["same", "stream"] as const)(
    "is asked for once by callers of both shapes at once, leader JSON (%s)",
    async (upstreamMode) => {
      const { post } = setup({ upstreamMode }, headers);
      const asked = [post(request), post({ ...request, stream: true }), post(request)];
      const [first, second, third] = await whileTimePasses(Promise.all(asked));
      expect([first, second, third].map((one) => one && cacheOf(one))).toEqual(["miss", "join", "join"]);
      const text = await first?.text();
      expect(await third?.text()).toBe(text);
      const events = (await second?.text())?.split("\n\n") ?? [];
      expect(events.at(-2)).toBe("data: [DONE]");
      expect(simulator.attempts()).toHaveLength(1);
    },
  );

  test("is asked for once by callers of both shapes at once, leader streaming", async () => {
    const { post } = setup({}, headers);
    const asked = [post({ ...request, stream: true }), post(request)] as const;
    const reading = asked[0].then((response) => response.text());
    const json = await whileTimePasses(asked[1]);
    expect(cacheOf(json)).toBe("join");
    const wire = await reading;
    const { choices } = (await json.json()) as { choices: { message: Record<string, unknown> }[] };
    const said = choices[0]?.message;
    const pieces = wire
      .split("\n\n")
      .slice(0, -2)
      .map((event) => (JSON.parse(event.replace("data: ", "")) as ChatChunk).choices[0]?.delta);
    expect(pieces.map((delta) => delta?.content ?? "").join("")).toBe(said?.["content"]);
    expect(simulator.attempts()).toHaveLength(1);
  });
});

test("an answer that broke off or was cut is neither kept nor given to anybody", async () => {
  const { deepseek } = setup({ policies: [caches, retry({ attempts: 1 })] });
  const cut = deepseek.client.outcome({ messages, max_tokens: 3, stream: true });
  const answer = await whileTimePasses(Promise.resolve(cut));
  await readAll(answer.status === "answered" && answer.value);
  expect(caches.snapshot()).toMatchObject({ entries: 0 });
  simulator.addFault({ action: "truncate_clean;tokens=3", times: 1 });
  const failing = [
    deepseek.client.outcome({ messages, stream: true }),
    deepseek.client.outcome({ messages }),
  ];
  const streamed = failing[0];
  const reading = Promise.resolve(streamed).then((one) => readAll(one?.status === "answered" && one.value));
  expect(await whileTimePasses(Promise.resolve(failing[1]))).toMatchObject({
    status: "failed",
    error: { code: "STREAM_TRUNCATED" },
    fault: "upstream",
    retryable: true,
  });
  expect((await reading).error).toMatchObject({ code: "STREAM_TRUNCATED" });
  expect(caches.snapshot()).toMatchObject({ entries: 0, flights: 0 });
});

test("a kept stream costs its text and a few bytes for each piece", async () => {
  const policy = cache({ ttl: "1h", shared: true });
  const { next, outcome } = bench({}, policy);
  const asked = outcome({ stream: true });
  const body = (await next()).stream();
  body.push(sse.role + sse.text("word ").repeat(1_000) + sse.finish() + sse.done);
  body.end();
  const answer = await asked;
  await readAll(answer.status === "answered" && answer.value);
  const { bytes } = policy.snapshot();
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThan(30_000);
});
