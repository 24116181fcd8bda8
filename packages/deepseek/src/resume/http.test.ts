import { createTestClock } from "@breakwater/testing";
import OpenAI from "openai";
import { expect, test } from "vitest";

import { deepseekFetch, type DeepSeekFetchOptions } from "../deepseek-fetch.ts";
import { createDeepSeek } from "../deepseek.ts";
import { fakeFetch, sse } from "../fake-fetch.test-help.ts";

const URL_OF_CHAT = "https://api.deepseek.com/v1/chat/completions";
const BODY =
  '{ "model": "deepseek-flash", "stream": true, "seed": 12345678901234567890, "messages": [{"role":"user","content":"Hi"}], "temperature": 1.0, "max_tokens": 100}';

function make(options: DeepSeekFetchOptions = {}) {
  const fake = fakeFetch();
  const clock = createTestClock();
  const fetch = deepseekFetch({ fetch: fake.fetch, runtime: clock, midStream: "resume", ...options });
  return { ...fake, clock, ask: fetch };
}

const post = (more: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  headers: { authorization: "Bearer sk-mine", "content-type": "application/json", ...more },
  body: BODY,
});

test("a fetch gives one body, byte for byte up to the joint and with one id behind it", async () => {
  const { ask, clock, next } = make();
  const asked = ask(URL_OF_CHAT, post({ "x-mine": "yes" }));
  const first = (await next()).stream();
  const begins = sse.role + sse.text("The sea ").replace('"created":1', '"created": 1');
  first.push(begins);
  const reading = (await asked).text();
  await clock.settle();
  first.end();
  const second = await next();
  expect(second.url).toBe("https://api.deepseek.com/beta/chat/completions");
  expect(Object.fromEntries(second.headers)).toMatchObject({
    authorization: "Bearer sk-mine",
    "x-mine": "yes",
  });
  expect(second.body).toBe(
    BODY.replace("100", "99").replace(
      '[{"role":"user","content":"Hi"}]',
      '[{"role":"user","content":"Hi"},{"role":"assistant","content":"The sea ","prefix":true}]',
    ),
  );
  const body = second.stream();
  body.push((sse.role + sse.text("is salty.")).replaceAll('"c1"', '"c2"') + sse.finish() + sse.done);
  body.end();
  const text = await reading;
  expect(text.startsWith(begins + sse.text("is salty."))).toBe(true);
  expect(text.endsWith(sse.done)).toBe(true);
  expect(text).not.toContain("c2");
  expect(clock.pending).toBe(0);
});

test("a fetch tells the error in band where the host is not known to continue texts", async () => {
  const { ask, clock, next, requests } = make();
  const asked = ask(URL_OF_CHAT.replace("api.deepseek.com", "host.test"), post());
  const first = (await next()).stream();
  first.push(sse.text("The sea "));
  const reading = (await asked).text();
  await clock.settle();
  first.end();
  expect(await reading).toContain("STREAM_TRUNCATED");
  expect(requests).toHaveLength(1);
});

test("a fetch refuses at once what it could not do", () => {
  expect(() => deepseekFetch({ midStream: "resume", policies: [] })).toThrow("put resume() among them");
  expect(() => deepseekFetch({ midStream: "again" as never })).toThrow('midStream must be "error", "resume"');
});

test("a router gives its client one answer, and asks with its own key", async () => {
  const { fetch, next } = fakeFetch();
  const runtime = createTestClock();
  const deepseek = createDeepSeek({ apiKey: "sk-ours", fetch, runtime, midStream: "resume" });
  const handle = deepseek.handler({ authorize: "public" });
  const asked = handle(new Request("http://here.test/v1/chat/completions", post()));
  const first = (await next()).stream();
  first.push(sse.text("The sea "));
  const reading = (await asked).text();
  await runtime.settle();
  first.fail(new TypeError("terminated"));
  const second = await next();
  expect(second.url).toBe("https://api.deepseek.com/beta/chat/completions");
  expect(second.headers.get("authorization")).toBe("Bearer sk-ours");
  expect(second.body).toContain('"seed": 12345678901234567890');
  const body = second.stream();
  body.push(sse.role + sse.text("is salty.") + sse.finish() + sse.done);
  body.end();
  const text = await reading;
  expect(text).toContain("is salty.");
  expect(text.endsWith(sse.done)).toBe(true);
});

test("the official SDK reads one answer through a reset", async () => {
  const { ask, clock, next } = make();
  const openai = new OpenAI({ apiKey: "k", baseURL: "https://api.deepseek.com", fetch: ask, maxRetries: 0 });
  const asked = openai.chat.completions.create({
    model: "deepseek-flash",
    messages: [{ role: "user", content: "Why is the sea salty?" }],
    stream: true,
  });
  const first = (await next()).stream();
  first.push(sse.role + sse.text("The sea "));
  const chunks: unknown[] = [];
  let text = "";
  const reading = (async () => {
    for await (const chunk of await asked) {
      chunks.push(chunk);
      text += chunk.choices[0]?.delta.content ?? "";
    }
  })();
  await clock.settle();
  first.fail(new TypeError("terminated"));
  const second = (await next()).stream();
  second.push(sse.role + sse.text("is salty.") + sse.finish() + sse.done);
  second.end();
  await reading;
  expect(text).toBe("The sea is salty.");
  expect(chunks.at(-1)).toMatchObject({ x_breakwater: { resumed: 1 } });
});
