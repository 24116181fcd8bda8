import { fallback, provideContext, retry, timeout } from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import { afterEach, describe, expect, test } from "vitest";

import { deepseekFetch } from "./deepseek-fetch.ts";
import { createDeepSeek } from "./deepseek.ts";
import {
  bench,
  completion,
  essence,
  fakeFetch,
  inUse,
  readAll,
  sse,
  STREAM,
} from "./fake-fetch.test-help.ts";
import { recommended } from "./recommended.ts";
import type { ChatAnswer, ChatCompletion, ChatRequest } from "./types.ts";

const messages = [{ role: "user", content: "Hi" }] as const;

/** The first token is out. */
async function begun(policies: Parameters<typeof bench>[1][] = [...recommended()]) {
  const made = bench({}, ...policies);
  const asked = made.outcome(STREAM);
  const body = (await made.next()).stream();
  body.push(sse.text("He"));
  const answer = await asked;
  if (answer.status !== "answered") throw new Error(answer.status);
  return { ...made, body, answer, reading: readAll(answer.value) };
}

test("trap 49: nothing is asked for again before Retry-After says so", async () => {
  const { clock, next, outcome, requests } = bench({}, ...recommended());
  void outcome();
  (await next()).respond(503, "{}", { "retry-after": "20" });
  await clock.advance(19_999);
  expect(requests).toHaveLength(1);
  (await clock.until(next())).respond(200, completion());
  expect(requests).toHaveLength(2);
});

test("trap 50: the response that comes to nothing gives its connection back, the last one comes out", async () => {
  const cancelled: number[] = [];
  let tries = 0;
  const clock = createTestClock();
  const fetch = deepseekFetch({
    runtime: clock,
    fetch: async () => {
      const number = ++tries;
      return new Response(new ReadableStream({ cancel: () => void cancelled.push(number) }), { status: 500 });
    },
  });
  const response = await clock.until(fetch("https://api.deepseek.com/files"));
  expect([response.status, tries, cancelled]).toEqual([500, 3, [1, 2]]);
  await response.body?.cancel();
});

test("trap 51: every attempt has a fresh signal, and the caller gets his own reason", async () => {
  const { clock, next, outcome } = bench({}, retry());
  const controller = new AbortController();
  const asked = outcome({}, controller.signal);
  const first = await next();
  first.respond(500, "{}");
  const second = await clock.until(next());
  expect(second.signal).not.toBe(first.signal);
  const reason = { my: "reason" };
  controller.abort(reason);
  expect(await asked).toMatchObject({ status: "cancelled", reason });
});

test("trap 57: a stream lives on after the clock that bounds its beginning", async () => {
  const { body, clock, reading } = await begun();
  for (let minute = 0; minute < 20; minute++) {
    await clock.advance(59_000);
    body.push(sse.text("."));
  }
  await clock.settle();
  body.push(sse.finish() + sse.done);
  body.end();
  expect((await reading).error).toBeUndefined();
  expect(clock.pending).toBe(0);
});

test("trap 60: a thousand calls leave nothing behind on a signal that they share", async () => {
  const { clock, ask, next } = bench({}, ...recommended());
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
  signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args));
  for (let i = 0; i < 1_000; i++) {
    const asked = ask.outcome({ messages }, { signal });
    (await next()).respond(200, completion());
    await asked;
  }
  expect([listeners, clock.pending]).toEqual([0, 0]);
});

describe("trap 62: between two tokens", () => {
  test("keep-alives are no progress", async () => {
    const { body, clock, reading } = await begun();
    for (let i = 0; i < 5; i++) {
      await clock.advance(12_000);
      body.push(sse.keepAlive);
    }
    expect(await reading).toMatchObject({ text: "He", error: { name: "TimedOutError", clock: "idle" } });
    expect(clock.pending).toBe(0);
  });

  test("a model that reasons may be silent for longer", async () => {
    const { clock, next, outcome } = bench({}, ...recommended());
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    body.push(sse.thought("hm"));
    const answer = await asked;
    const reading = readAll(answer.status === "answered" && answer.value);
    await clock.advance(119_000);
    body.push(sse.text("Hi"));
    await clock.advance(59_000);
    body.push(sse.finish() + sse.done);
    body.end();
    expect((await reading).error).toBeUndefined();
  });

  test("the clock stands still while the reader is slow", async () => {
    const { clock, next, outcome } = bench({}, ...recommended({ clocks: { idle: "10s" } }));
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    body.push(sse.text("He"));
    const answer = await asked;
    if (answer.status !== "answered") throw new Error(answer.status);
    body.push(sse.text("llo") + sse.finish() + sse.done);
    body.end();
    await clock.advance(55_000);
    expect(await readAll(answer.value)).toMatchObject({ text: "Hello", error: undefined });
  });
});

test("trap 79: a fallback does not cover that the caller left, and his reason stays", async () => {
  let fell = 0;
  const canned = fallback<ChatRequest, ChatAnswer>({
    value: () => (fell++, JSON.parse(completion()) as ChatCompletion),
  });
  const { next, outcome } = bench({}, canned);
  const controller = new AbortController();
  const asked = outcome({}, controller.signal);
  await next();
  const reason = new DOMException("closed", "AbortError");
  controller.abort(reason);
  expect(await asked).toMatchObject({ status: "cancelled", reason });
  expect(fell).toBe(0);
});

test("trap 80: taking a listener back takes exactly that one back", async () => {
  const fake = fakeFetch();
  const deepseek = createDeepSeek({ apiKey: "k", fetch: fake.fetch, policies: [] });
  const heard: string[] = [];
  const listener = (): void => void heard.push("twice");
  const first = deepseek.on(listener);
  deepseek.on(listener);
  first();
  const asked = deepseek.chat({ messages });
  (await fake.next()).respond(200, completion());
  await asked;
  const starts = heard.length;
  expect(starts).toBeGreaterThan(0);
  // call-start, attempt-start, attempt-end, attempt-cost and call-end, once each
  expect(starts).toBe(5);
});

test("trap 82: what fails after the status went out is told once, in band", async () => {
  const fake = fakeFetch();
  const clock = createTestClock();
  const deepseek = createDeepSeek({
    apiKey: "k",
    fetch: fake.fetch,
    runtime: clock,
    policies: [timeout({ idle: "5s" })],
  });
  const handler = deepseek.handler({ authorize: "public" });
  const asked = handler(
    new Request("http://here/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages, stream: true }),
    }),
  );
  (await fake.next()).stream().push(sse.text("Hi"));
  const text = (await asked).text();
  await clock.advance(5_000);
  const events = (await text).split("\n\n");
  expect(events).toHaveLength(3);
  expect(events[1]).toContain('"code":"TIMED_OUT"');
  expect(events[2]).toBe("");
  expect(clock.pending).toBe(0);
});

describe("a browser that leaves", () => {
  let context: { signal?: AbortSignal; tenant?: string } | undefined;
  const carrier = provideContext(() => ({ getStore: () => context }));
  afterEach(() => (context = undefined));

  test("ends the call also where the SDK passes a signal of its own", async () => {
    expect(carrier.getStore()).toBeUndefined();
    const fake = fakeFetch();
    const clock = createTestClock();
    const fetch = deepseekFetch({ fetch: fake.fetch, runtime: clock });
    for (const who of ["the browser", "the SDK"]) {
      const browser = new AbortController();
      const sdk = new AbortController();
      context = { signal: browser.signal };
      const asked = fetch("https://api.deepseek.com/chat/completions", {
        method: "POST",
        body: JSON.stringify({ messages }),
        signal: sdk.signal,
      });
      const sent = await fake.next();
      (who === "the browser" ? browser : sdk).abort(who);
      await expect(asked).rejects.toBe(who);
      expect(sent.signal.aborted).toBe(true);
      await clock.settle();
      expect(fetch.snapshot().map(({ inFlight }) => inFlight)).toEqual([0, 0]);
    }
  });
});

test("an answer made by a fallback comes in pieces to whoever wants pieces", async () => {
  const canned = JSON.parse(completion({ content: "Please ask again later." })) as ChatCompletion;
  const fake = fakeFetch();
  const deepseek = createDeepSeek({
    apiKey: "k",
    fetch: fake.fetch,
    policies: [fallback({ value: () => canned })],
  });
  const reading = readAll(deepseek.stream({ messages }));
  (await fake.next()).respond(503, "{}");
  expect(await reading).toMatchObject({ text: "Please ask again later.", error: undefined });

  const asked = deepseek.fetch("http://any/chat/completions", {
    method: "POST",
    body: JSON.stringify({ messages, stream: true }),
  });
  (await fake.next()).respond(503, "{}");
  const events = (await (await asked).text()).split("\n\n").map((event) => event.slice("data: ".length));
  expect(events.slice(-2)).toEqual(["[DONE]", ""]);
  expect(events.slice(0, -2).map((event) => JSON.parse(event) as unknown)).toMatchObject([
    { object: "chat.completion.chunk", choices: [{ delta: { role: "assistant", content: "" } }] },
    { choices: [{ delta: { content: "Please ask again later." }, finish_reason: null }] },
    { choices: [{ delta: { content: "" }, finish_reason: "stop" }], usage: canned.usage },
  ]);
  expect(inUse(deepseek).inFlight).toBe(0);
});

test("a key never comes out, wherever it was put", async () => {
  const key = "sk-00112233445566778899aabbccddeeff";
  const { ask, next, outcome } = bench({ apiKey: key });
  const told: unknown[] = [ask.describe(), ask.snapshot()];
  ask.on((event) => told.push(event));
  for (const [status, body] of [
    [401, `{"error":{"message":"bad key ${key}","param":"${key}"}}`],
    [500, `<html>${key}</html>`],
    [200, `{"error":{"message":"no ${key}"}}`],
  ] as const) {
    const asked = outcome();
    (await next()).respond(status, body);
    const failed = await asked;
    // Whether the key is really wrong is asked at once.
    if (status === 401) (await next()).respond(200, "{}");
    told.push(failed, essence(failed));
    if (failed.status === "failed")
      told.push(String(failed.error), (failed.error as { body?: unknown }).body);
  }
  const streamed = outcome(STREAM);
  (await next()).stream().push(sse.error({ message: `no ${key}` }));
  told.push(await streamed);
  expect(told.map((each) => JSON.stringify(each) ?? "").join("\n")).not.toContain("00112233445566");
});
