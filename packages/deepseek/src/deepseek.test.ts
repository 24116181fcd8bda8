import { createTestClock } from "@breakwater/testing";
import OpenAI from "openai";
import { describe, expect, test } from "vitest";

import { createDeepSeek, type DeepSeekOptions } from "./deepseek.ts";
import { completion, fakeFetch, inUse, sse } from "./fake-fetch.test-help.ts";

const messages = [{ role: "user", content: "Hi" }] as const;

function make(options: DeepSeekOptions = {}) {
  const fake = fakeFetch();
  const clock = createTestClock();
  const deepseek = createDeepSeek({
    apiKey: "sk-mine",
    baseURL: "http://host.test/v1",
    fetch: fake.fetch,
    runtime: clock,
    ...options,
  });
  return { ...fake, clock, deepseek };
}

describe("chat", () => {
  test("gives the whole answer, also to a request that wanted it in pieces", async () => {
    const { deepseek, next } = make();
    const asked = deepseek.chat({ messages, stream: true });
    const sent = await next();
    expect(JSON.parse(sent.body)).toEqual({ messages, stream: false, model: "deepseek-flash" });
    sent.respond(200, completion());
    expect((await asked).choices[0]?.message.content).toBe("Hello");
  });

  test("is the first request again for another try, whatever became of it meanwhile", async () => {
    const { clock, deepseek, next } = make();
    const history: { role: "user"; content: string }[] = [{ role: "user", content: "one" }];
    const asked = deepseek.chat({ messages: history });
    const first = await next();
    history.push({ role: "user", content: "two" });
    first.respond(500, "{}");
    const second = await clock.until(next());
    expect(second.body).toBe(first.body);
    second.respond(200, completion());
    await asked;
    const again = deepseek.chat({ messages: history });
    const third = await next();
    expect(third.body).toContain("two");
    third.respond(200, completion());
    await again;
  });

  test("and whatever else goes through it: all of it ends, and nothing in it is a mistake", async () => {
    const { clock, deepseek, next } = make();
    expect(deepseek.managed().flatMap((client) => client.describe().lints)).toEqual([]);
    const asked = deepseek.fetch("http://host.test/v1/models");
    const { signal } = await next(); // which nobody answers
    const answer = await clock.until(asked);
    expect(answer.headers.get("x-breakwater-code")).toBe("TIMED_OUT");
    expect(signal?.aborted).toBe(true);
    expect(clock.now()).toBe(600_000);
  });

  test("tells with full how the answer came about", async () => {
    const { deepseek, next } = make();
    const asked = deepseek.chat.full({ messages }, { callId: "c-1" });
    (await next()).respond(200, completion());
    expect((await asked).meta).toMatchObject({
      callId: "c-1",
      attempts: 1,
      target: "deepseek",
      usage: { totalTokens: 5 },
    });
  });

  test("throws what went wrong", async () => {
    const { deepseek, next } = make();
    const asked = deepseek.chat({ messages });
    (await next()).respond(401, "{}");
    await expect(asked).rejects.toMatchObject({ name: "UpstreamError", code: "AUTH", status: 401 });
  });
});

describe("stream", () => {
  test("asks nothing until it is read", async () => {
    const { clock, deepseek, requests } = make();
    const stream = deepseek.stream({ messages });
    await clock.settle();
    expect(requests).toHaveLength(0);
    await stream.return?.();
    for await (const _ of stream) throw new Error("it was left");
    expect(requests).toHaveLength(0);
  });

  test("gives the pieces, and asks for the usage", async () => {
    const { clock, deepseek, next } = make();
    let text = "";
    const reading = (async () => {
      for await (const chunk of deepseek.stream({ messages })) text += chunk.choices[0]?.delta.content ?? "";
    })();
    const sent = await next();
    expect(JSON.parse(sent.body)).toMatchObject({ stream: true, stream_options: { include_usage: true } });
    const body = sent.stream();
    body.push(sse.role + sse.text("Hel") + sse.text("lo") + sse.finish() + sse.done);
    body.end();
    await reading;
    await clock.settle();
    expect(text).toBe("Hello");
    expect([inUse(deepseek), clock.pending]).toEqual([{ inFlight: 0, permits: 0 }, 0]);
  });

  test("throws into the loop", async () => {
    const { deepseek, next } = make();
    const first = deepseek.stream({ messages }).next();
    (await next()).respond(402, "{}");
    await expect(first).rejects.toMatchObject({ code: "QUOTA" });
  });

  test.each([false, true])("is over when its reader leaves; with a signal of his own: %s", async (own) => {
    const { clock, deepseek, next } = make();
    const controller = new AbortController();
    const stream = deepseek.stream({ messages }, own ? { signal: controller.signal } : {});
    const first = stream.next();
    const sent = await next();
    sent.stream().push(sse.text("a") + sse.text("b"));
    await first;
    await stream.return?.();
    await clock.settle();
    expect([inUse(deepseek), clock.pending]).toEqual([{ inFlight: 0, permits: 0 }, 0]);
  });

  test("can be left while it waits", async () => {
    const { clock, deepseek, next } = make();
    const stream = deepseek.stream({ messages });
    const first = stream.next();
    const sent = await next();
    const left = stream.return?.();
    await expect(first).rejects.toMatchObject({ name: "AbortError" });
    await left;
    expect(sent.signal.aborted).toBe(true);
    await clock.settle();
    expect([inUse(deepseek), clock.pending]).toEqual([{ inFlight: 0, permits: 0 }, 0]);
  });
});

describe("fetch", () => {
  test("asks this host with this key, whatever the SDK was given", async () => {
    const { deepseek, next } = make();
    const sdk = new OpenAI({
      apiKey: "sk-theirs",
      baseURL: "https://api.openai.com/v1",
      fetch: deepseek.fetch,
      maxRetries: 0,
    });
    const asked = sdk.chat.completions.create({ model: "deepseek-flash", messages: [...messages] });
    const sent = await next();
    expect(sent.url).toBe("http://host.test/v1/chat/completions");
    expect(sent.headers.get("authorization")).toBe("Bearer sk-mine");
    sent.respond(200, completion());
    expect((await asked).choices[0]?.message.content).toBe("Hello");

    const listed = sdk.models.list();
    const other = await next();
    expect([other.url, other.headers.get("authorization")]).toEqual([
      "http://host.test/v1/models",
      "Bearer sk-mine",
    ]);
    other.respond(200, '{"object":"list","data":[]}');
    expect((await listed).data).toEqual([]);
  });
});

describe("fallback", () => {
  test("goes to a second host, with its own key and model", async () => {
    const second = fakeFetch();
    const { clock, deepseek, next } = make({
      fallback: { host: "openrouter", apiKey: "sk-second", fetch: second.fetch },
    });
    const asked = deepseek.chat.full({ messages, reasoning_effort: "high" });
    for (let i = 0; i < 3; i++) (await clock.until(next())).respond(503, "{}");
    const sent = await clock.until(second.next());
    expect(sent.headers.get("authorization")).toBe("Bearer sk-second");
    expect(JSON.parse(sent.body)).toEqual({
      messages,
      model: "deepseek/deepseek-v4.1-flash",
      reasoning: { effort: "high" },
    });
    sent.respond(200, completion());
    const { meta } = await asked;
    expect(meta).toMatchObject({ degraded: true, target: "openrouter" });
  });

  test("moves a call on that waits in the queue for a minute, and does not queue it again", async () => {
    const second = fakeFetch();
    const { clock, deepseek, next, requests } = make({
      fallback: { host: "siliconflow", apiKey: "k", fetch: second.fetch },
    });
    const stream = deepseek.stream({ messages });
    const first = stream.next();
    const body = (await next()).stream();
    for (let i = 0; i < 5; i++) {
      body.push(sse.keepAlive);
      await clock.advance(12_000);
    }
    const sent = await second.next();
    sent.stream().push(sse.text("Hi"));
    expect((await first).value).toMatchObject({ choices: [{ delta: { content: "Hi" } }] });
    expect(requests).toHaveLength(1);
    expect(body.cancelled || requests[0]?.signal.aborted).toBe(true);
    await stream.return?.();
  });
});

test.each([
  [
    { apiKey: undefined },
    /apiKey is missing for deepseek: set the environment variable DEEPSEEK_API_KEY, or write/,
  ],
  [{ apiKey: "" }, /apiKey is missing/],
  [{ apiKey: "sk-secret\n" }, /without spaces and line breaks/],
  [{ apiKey: 42 }, /apiKey must be a string/],
  [{ baseURL: "api.deepseek.com" }, /baseURL must be an http\(s\) URL/],
  [{ baseURL: "https://me:pw@host" }, /without query or credentials/],
  [{ host: "deepsek" }, /host "deepsek" is not known; known are "deepseek", "siliconflow"/],
  [{ host: {} }, /host must be one of/],
  [{ models: { a: 1 } }, /models must map ids to ids/],
  [{ headers: "x" }, /headers must be an object/],
  [{ maxErrorBodyBytes: Number.NaN }, /maxErrorBodyBytes must be a whole number .* environment variable/],
  [{ retry: {} }, /unknown option "retry"/],
  [{ policies: [], fallback: { apiKey: "k" } }, /put fallback\(\{ to \}\) among them/],
  [{ errorMode: "x" }, /errorMode must be/],
  [{ fallback: { apiKey: "k", host: "nowhere" } }, /createDeepSeek: fallback: host "nowhere"/],
])("refuses %o", (options, message) => {
  process.env["DEEPSEEK_API_KEY"] = "";
  const wrong = (): unknown => createDeepSeek({ apiKey: "sk-1", ...options } as never);
  expect(wrong).toThrow(message);
  expect(wrong).toThrow(expect.objectContaining({ code: "CONFIG" }) as never);
  expect(wrong).not.toThrow(/sk-secret/);
});
