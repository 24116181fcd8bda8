import { bulkhead, cache, retry } from "@breakwater/core";
import { startSimulator } from "@breakwater/simulator";
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, test } from "vitest";

import { fakeFetch, inUse } from "./fake-fetch.test-help.ts";
import { createDeepSeek, type DeepSeekOptions, deepseekFetch, type FimChunk, hosts } from "./index.ts";
import { createTokenMeter } from "./tokens/meter.ts";

const simulator = await startSimulator({ clock: "manual", text: { unicode: true } });
afterAll(() => simulator.close());
afterEach(() => simulator.reset());

const request = { prompt: "def add(a, b):\n", suffix: "\n  return c", max_tokens: 40 };
const path = "/completions";
const here = (): DeepSeekOptions => ({
  apiKey: simulator.key,
  baseURL: simulator.url,
  fetch: simulator.fetch,
  headers: { "x-sim-tokens": "content=12" },
  policies: [],
});

async function whileTimePasses<T>(promise: Promise<T>): Promise<T> {
  await simulator.advance(60_000);
  return promise;
}

async function read(
  stream: AsyncIterable<FimChunk>,
): Promise<{ text: string; chunks: FimChunk[]; error: unknown }> {
  const chunks: FimChunk[] = [];
  let error: unknown;
  try {
    for await (const chunk of stream) chunks.push(chunk);
  } catch (thrown) {
    error = thrown;
  }
  return { text: chunks.map(({ choices }) => choices[0]?.text).join(""), chunks, error };
}

describe("filling in", () => {
  test("brings the text whole or as a stream, from where the host fills in", async () => {
    const { fim } = createDeepSeek({ ...here(), baseURL: `${simulator.url}/v1` });
    const { value, meta } = await whileTimePasses(fim.full(request));
    const text = value.choices[0]?.text;
    expect(text).not.toBe("");
    expect(meta).toMatchObject({ target: "deepseek", attempts: 1, model: "deepseek-flash" });
    expect(meta.usage?.totalTokens).toBe(value.usage?.total_tokens);
    const streamed = await whileTimePasses(read(fim.stream(request)));
    expect(streamed.text).toBe(text);
    expect(streamed.chunks.at(-1)?.usage).toEqual(value.usage);
    expect(simulator.attempts().map((attempt) => [attempt.path, attempt.stream, attempt.model])).toEqual([
      ["/completions", false, "deepseek-flash"],
      ["/completions", true, "deepseek-flash"],
    ]);
  });

  test("gives the same text when it is streamed to here and put together", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "binary", maxLength: 20 }),
        fc.integer({ min: 1, max: 7 }),
        async (prompt, bytes) => {
          const answers: string[] = [];
          for (const upstreamMode of ["same", "stream"] as const) {
            simulator.reset();
            const headers = {
              "x-sim-id": "x",
              "x-sim-tokens": "content=12",
              ...(upstreamMode === "stream" && { "x-sim-fault": `fragment;bytes=${bytes}` }),
            };
            const { fim } = createDeepSeek({ ...here(), headers, upstreamMode });
            answers.push(JSON.stringify(await whileTimePasses(fim({ ...request, prompt }))));
          }
          expect(answers[1]).toBe(answers[0]);
        },
      ),
      { numRuns: 20, seed: 20_261_121 },
    );
  });

  test("goes through the policies of the chats: retried before its first token, and not after it", async () => {
    const permits = bulkhead({ concurrency: 1 });
    const deepseek = createDeepSeek({ ...here(), policies: [retry({ attempts: 2, baseDelay: 0 }), permits] });
    const next = (action: string): void => void simulator.addFault({ action, match: { path }, times: 1 });
    next("503");
    expect((await whileTimePasses(deepseek.fim(request))).choices).toHaveLength(1);
    next("keepalive_then_eof;n=1");
    const second = await whileTimePasses(read(deepseek.fim.stream(request)));
    expect([second.text === "", second.error]).toEqual([false, undefined]);
    next("truncate_clean;tokens=4");
    const third = await whileTimePasses(read(deepseek.fim.stream(request)));
    expect(third.error).toMatchObject({ code: "STREAM_TRUNCATED" });
    expect(simulator.attempts().map(({ status }) => status)).toEqual([503, 200, 200, 200, 200]);
    expect(inUse(deepseek)).toEqual({ inFlight: 0, permits: 0 });
  });

  test("is cached in either shape, and never taken for a chat", async () => {
    const deepseek = createDeepSeek({ ...here(), policies: [cache({ ttl: "1h", shared: true })] });
    const streamed = await whileTimePasses(read(deepseek.fim.stream(request)));
    const { value, meta } = await deepseek.fim.full(request);
    expect(meta.cache).toBe("hit");
    expect(value).toMatchObject({ object: "text_completion", choices: [{ text: streamed.text, index: 0 }] });
    const again = await read(deepseek.fim.stream(request));
    expect(again.chunks).toEqual(streamed.chunks);
    expect(await deepseek.fim({ ...request, top_p: 1, stream: true })).toEqual(value);
    const chat = await whileTimePasses(
      deepseek.chat({ messages: [{ role: "user", content: request.prompt }] }),
    );
    expect(chat.object).toBe("chat.completion");
    expect(simulator.attempts()).toHaveLength(2);
  });

  test("may come to nothing: then there is nothing to be filled in", async () => {
    const fake = fakeFetch();
    const deepseek = createDeepSeek({
      apiKey: "k",
      baseURL: "http://host.test",
      fetch: fake.fetch,
      policies: [],
    });
    const whole = deepseek.fim(request);
    const sent = await fake.next();
    expect(sent.url).toBe("http://host.test/beta/completions");
    expect(JSON.parse(sent.body)).toEqual({ ...request, stream: false, model: "deepseek-flash" });
    const choices = [{ text: "", index: 0, logprobs: null, finish_reason: "stop" }];
    const nothing = { id: "f", object: "text_completion", created: 1, model: "m", choices };
    sent.respond(200, JSON.stringify(nothing));
    expect(await whole).toEqual(nothing);
    const reading = read(deepseek.fim.stream(request));
    const body = (await fake.next()).stream();
    body.push(`data: ${JSON.stringify(nothing)}\n\ndata: [DONE]\n\n`);
    body.end();
    expect(await reading).toMatchObject({ text: "", error: undefined });
  });

  test("says so where a host cannot", async () => {
    const fake = fakeFetch();
    const elsewhere = createDeepSeek({ apiKey: "k", host: "siliconflow", fetch: fake.fetch });
    await expect(elsewhere.fim(request)).rejects.toThrow(
      'fim: siliconflow is not known to fill in texts. If it does, say where: { host: { …, fim: "/beta" } }.',
    );
    expect(fake.requests).toHaveLength(0);
    const host = { ...hosts.siliconflow, fim: "/v1" };
    const own = createDeepSeek({ apiKey: "k", host, fetch: fake.fetch, policies: [] });
    void own.fim(request).catch(() => undefined);
    expect((await fake.next()).url).toBe("https://api.siliconflow.cn/v1/completions");
    await own.close();
  });

  test("costs its prompt and what DeepSeek fills in at most", () => {
    const { reserve } = createTokenMeter({ modelOf: () => "m", reserveOutput: "max" });
    expect(reserve({ prompt: "a".repeat(96) })).toMatchObject({ promptTokens: 29, completionTokens: 4_096 });
    expect(reserve(request)).toMatchObject({ completionTokens: 40, estimated: true });
  });
});

describe("a fetch", () => {
  const ask = (body: object) => ({
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${simulator.key}` },
    body: JSON.stringify(body),
  });
  const again = retry({ attempts: 2, baseDelay: 0 });
  const fetches = {
    deepseekFetch: () => deepseekFetch({ fetch: simulator.fetch, policies: [again] }),
    "deepseek.fetch": () => createDeepSeek({ ...here(), policies: [again] }).fetch,
  };

  test.each(Object.entries(fetches))("%s knows what is to be filled in", async (_, make) => {
    const fetch = make();
    simulator.addFault({ action: "keepalive_then_eof;n=1", match: { path }, times: 1 });
    const url = `${simulator.url}/beta/completions`;
    // What breaks under a 200 is tried again, which nothing that only looks at the status could do.
    const streaming = fetch(url, ask({ ...request, model: "deepseek-flash", stream: true }));
    const text = await whileTimePasses(streaming.then((response) => response.text()));
    const events = text.split("\n\n");
    expect(events.slice(-2)).toEqual(["data: [DONE]", ""]);
    expect(events[0]).toContain('"object":"text_completion"');
    const whole = await whileTimePasses(fetch(url, ask({ ...request, model: "deepseek-flash" })));
    expect(whole.headers.get("x-breakwater-attempts")).toBe("1");
    expect(await whole.json()).toMatchObject({ object: "text_completion" });
    expect(simulator.attempts()).toHaveLength(3);
  });
});
