import { bulkhead, type BreakwaterEvent, circuitBreaker, retry, timeout } from "@breakwater/core";
import { type Simulator, startSimulator } from "@breakwater/simulator";
import { createTestClock } from "@breakwater/testing";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { deepseekFetch, type DeepSeekFetchOptions } from "./deepseek-fetch.ts";
import { completion, fakeFetch, sse } from "./fake-fetch.test-help.ts";
import { recommended } from "./recommended.ts";
import { deepseekUpstream } from "./upstream.ts";

const messages = [{ role: "user", content: "Hello" }] as const;
const request = { model: "deepseek-flash", messages: [...messages] };

describe("with the official SDK, over sockets", () => {
  let sim: Simulator;
  beforeAll(async () => {
    sim = await startSimulator({
      timeScale: 0.01,
      capacity: { decodeSpeed: 0.003 },
      text: { contentMedian: 20, reasoningMedian: 5 },
    });
  });
  afterAll(() => sim.close());

  function sdk(fault: string, options: DeepSeekFetchOptions = {}) {
    const fetch = deepseekFetch(options);
    const client = new OpenAI({
      apiKey: sim.key,
      baseURL: sim.url,
      fetch,
      maxRetries: 2,
      defaultHeaders: { "x-sim-fault": fault, "x-sim-id": `${fault}-${Math.floor(ids++)}` },
    });
    const attempts = (): number => sim.attempts({ scope: `${fault}-${ids - 1}` }).length;
    const permits = () => fetch.snapshot().map(({ inFlight }) => inFlight);
    return { client, fetch, attempts, permits };
  }
  let ids = 0;

  test("a whole answer comes as it was sent", async () => {
    const { client, permits } = sdk("none");
    const { data, response } = await client.chat.completions.create(request).withResponse();
    expect(data.choices[0]?.message.content).toBe(sim.expectedText(request).content);
    expect(response.headers.get("x-breakwater-attempts")).toBe("1");
    expect(response.headers.get("x-breakwater-call-id")).toMatch(/^bw-/);
    expect(permits()).toEqual([0, 0]);
  });

  test("a stream comes line by line as it was sent, and ends with [DONE]", async () => {
    const { fetch } = sdk("none");
    const init = {
      method: "POST",
      headers: { authorization: `Bearer ${sim.key}`, "content-type": "application/json" },
      body: JSON.stringify({ ...request, stream: true }),
    };
    const [ours, theirs] = await Promise.all(
      [fetch, globalThis.fetch].map(async (each, i) => {
        const headers = { ...init.headers, "x-sim-id": `same-${i}` };
        return (await each(`${sim.url}/chat/completions`, { ...init, headers })).text();
      }),
    );
    // Ids and times differ from call to call.
    const strip = (text: string | undefined): string | undefined =>
      text?.replaceAll(/"(id|created)":("[^"]*"|\d+)/g, "").replaceAll(": keep-alive\n\n", "");
    expect(strip(ours)).toBe(strip(theirs));
    expect(ours?.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  test("a stream is read", async () => {
    const { client, permits } = sdk("none");
    let text = "";
    for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? "";
    }
    expect(text).toBe(sim.expectedText(request).content);
    expect(permits()).toEqual([0, 0]);
  });

  test("the SDK does not try again what has been tried", async () => {
    const { client, attempts } = sdk("503");
    const error = await client.chat.completions.create(request).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.InternalServerError);
    expect(error).toMatchObject({
      status: 503,
      type: "service_unavailable_error",
      message: expect.stringContaining("Service is too busy"),
    });
    expect(attempts()).toBe(5);
  });

  test("the host's own words reach the SDK", async () => {
    const { client, attempts } = sdk("402");
    const error = await client.chat.completions.create(request).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      status: 402,
      error: { message: "Insufficient Balance", type: "unknown_error" },
    });
    expect(attempts()).toBe(1);
  });

  test.each([
    ["truncate_clean;tokens=15", "STREAM_TRUNCATED"],
    ["reset_mid_stream;tokens=15", "TRANSPORT"],
    ["isr;tokens=15", "UPSTREAM_INTERRUPTED"],
  ])("a stream that breaks off by %s is an error there, and never quietly the end", async (fault, code) => {
    const { client, attempts, permits } = sdk(fault);
    let chunks = 0;
    const reading = (async () => {
      for await (const _ of await client.chat.completions.create({ ...request, stream: true })) chunks++;
    })();
    await expect(reading).rejects.toMatchObject({ name: "Error", code, type: "breakwater_error" });
    expect(chunks).toBeGreaterThan(0);
    expect(attempts()).toBe(1);
    expect(permits()).toEqual([0, 0]);
  });

  test.each(["truncate_clean;tokens=0", "keepalive_then_eof;n=1", "isr;tokens=0"])(
    "a stream that breaks off by %s before its first token is tried again, unseen",
    async (fault) => {
      const { client, attempts } = sdk(fault);
      const error = await client.chat.completions
        .create({ ...request, stream: true })
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ status: 502 });
      expect(attempts()).toBe(5);
    },
  );

  test("leaving the loop ends the call", async () => {
    const { client, permits } = sdk("none");
    for await (const _ of await client.chat.completions.create({ ...request, stream: true })) break;
    await settled(sim);
    expect(permits()).toEqual([0, 0]);
  });

  test("aborting ends a call that waits, and one that is read", async () => {
    const { client, permits } = sdk("queue_forever");
    const controller = new AbortController();
    const asked = client.chat.completions.create({ ...request, stream: true }, { signal: controller.signal });
    await arrived(sim);
    controller.abort();
    await expect(asked).rejects.toThrow(OpenAI.APIUserAbortError);
    await settled(sim);
    expect(permits()).toEqual([0, 0]);
  });

  test("what is no chat goes through, with retries", async () => {
    const { client } = sdk("none");
    const models = await client.models.list();
    expect(models.data.map(({ id }) => id)).toContain("deepseek-flash");
  });
});

/** Until the simulator has nothing open any more. */
async function settled(sim: Simulator): Promise<void> {
  while (sim.state().open > 0) await new Promise((resolve) => setImmediate(resolve));
}
async function arrived(sim: Simulator): Promise<void> {
  while (sim.state().open === 0) await new Promise((resolve) => setImmediate(resolve));
}

describe("by itself", () => {
  const CHAT_URL = "https://api.deepseek.com/chat/completions";
  const post = (body: unknown = request, more: RequestInit = {}): RequestInit => ({
    method: "POST",
    headers: { authorization: "Bearer sk-mine-0123456789", "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...more,
  });

  function make(options: DeepSeekFetchOptions = {}) {
    const fake = fakeFetch();
    const clock = createTestClock();
    const fetch = deepseekFetch({ fetch: fake.fetch, runtime: clock, ...options });
    const events: BreakwaterEvent[] = [];
    fetch.on((event) => events.push(event));
    return { ...fake, clock, ask: fetch, events };
  }

  test("trap 52: sends the body byte for byte in every attempt, with the caller's address and headers", async () => {
    const { ask, next, clock, requests } = make();
    const body =
      '{ "model" : "deepseek-flash", "messages":[{"role":"user","content":"\\u0048i"}], "seed": 12345678901234567890, "temperature": 1.0 }';
    const asked = ask(
      `${CHAT_URL}?beta=1`,
      post(body, { headers: { authorization: "Bearer k", "x-mine": "yes", "content-length": "5" } }),
    );
    (await next()).respond(503, "{}");
    (await clock.until(next())).respond(200, completion());
    await asked;
    expect(requests.map((each) => each.body)).toEqual([body, body]);
    expect(requests.map((each) => each.url)).toEqual([`${CHAT_URL}?beta=1`, `${CHAT_URL}?beta=1`]);
    expect(Object.fromEntries(requests[1]?.headers ?? [])).toEqual({
      authorization: "Bearer k",
      "x-mine": "yes",
    });
  });

  test("gives the answer byte for byte", async () => {
    const { ask, next } = make();
    const asked = ask(CHAT_URL, post());
    const text = completion().replace('"created":1', '"created": 1.0e0');
    (await next()).respond(200, `\n\n${text}`);
    expect(await (await asked).text()).toBe(`\n\n${text}`);
  });

  test("takes a Request, a URL and bytes as well", async () => {
    const { ask, next, requests } = make();
    for (const args of [
      [new Request(CHAT_URL, post())],
      [new URL(CHAT_URL), post()],
      [CHAT_URL, post(undefined, { body: new TextEncoder().encode(JSON.stringify(request)) })],
    ] as Parameters<typeof fetch>[]) {
      const asked = ask(...args);
      (await next()).respond(200, completion());
      expect((await asked).status).toBe(200);
    }
    expect(new Set(requests.map((each) => each.body))).toEqual(new Set([JSON.stringify(request)]));
  });

  test("keeps hosts and keys apart, and their number bounded", async () => {
    const { ask, next } = make({
      policies: () => [circuitBreaker({ window: { calls: 2 }, failureRate: 1 })],
      maxTargets: 2,
    });
    const fail = async (key: string): Promise<string | null> => {
      const asked = ask(CHAT_URL, post(request, { headers: { authorization: `Bearer ${key}` } }));
      const refused = await Promise.race([asked, next().then((each) => each.respond(503, "{}"))]);
      return (refused ?? (await asked)).headers.get("x-breakwater-code");
    };
    expect([await fail("a"), await fail("a"), await fail("b")]).toEqual([
      "OVERLOADED",
      "OVERLOADED",
      "OVERLOADED",
    ]);
    expect(ask.snapshot()).toHaveLength(4);
  });

  test("can be watched: clients that are made later as well, and none of them while nobody does", async () => {
    const { ask, events, next } = make({ policies: [], maxTargets: 1 });
    const others: string[] = [];
    const chat = async (key: string): Promise<void> => {
      const asked = ask(CHAT_URL, post(request, { headers: { authorization: `Bearer ${key}` } }));
      (await next()).respond(200, completion());
      await (await asked).text();
    };
    await chat("a");
    const leave = ask.on(({ type }) => others.push(type));
    expect(ask.managed().map((client) => client.snapshot().name)).toEqual(["deepseek", "deepseek-other"]);
    await chat("a");
    await chat("b");
    leave();
    await chat("b");
    await chat("c");
    const ends = (types: readonly string[]): number => types.filter((type) => type === "call-end").length;
    expect([ends(others), ends(events.map(({ type }) => type))]).toEqual([2, 5]);
  });

  test.each([["a full bulkhead", [bulkhead({ concurrency: 1 })], 503, "BULKHEAD_FULL"]])(
    "%s is told as OpenAI would",
    async (_, policies, status, code) => {
      const { ask, next } = make({ policies });
      const first = ask(CHAT_URL, post());
      const response = await ask(CHAT_URL, post());
      expect(response.status).toBe(status);
      expect(response.headers.get("x-should-retry")).toBe("false");
      expect(response.headers.get("x-breakwater-code")).toBe(code);
      expect(await response.json()).toMatchObject({ error: { code, param: null } });
      (await next()).respond(200, completion());
      await first;
    },
  );

  test("a clock of ours is a 504, a refused connection a 502, both without retries by the SDK", async () => {
    const { ask, clock, next } = make({ policies: [timeout({ total: "5s" })] });
    const late = await clock.until(ask(CHAT_URL, post()));
    expect([late.status, late.headers.get("x-breakwater-code")]).toEqual([504, "TIMED_OUT"]);
    await next();
    const asked = ask(CHAT_URL, post());
    (await next()).reject(new TypeError("fetch failed"));
    const broken = await asked;
    expect([broken.status, broken.headers.get("x-breakwater-code")]).toEqual([502, "TRANSPORT"]);
  });

  test("Retry-After is passed on in whole seconds", async () => {
    const { ask, next } = make({ policies: [] });
    const asked = ask(CHAT_URL, post());
    (await next()).respond(429, "{}", { "retry-after-ms": "1200" });
    expect((await asked).headers.get("retry-after")).toBe("2");
  });

  test("with errorMode throw, failures are thrown as they are", async () => {
    const { ask, next } = make({ policies: [], errorMode: "throw" });
    const asked = ask(CHAT_URL, post());
    (await next()).respond(503, "{}");
    await expect(asked).rejects.toMatchObject({ name: "UpstreamError", code: "OVERLOADED" });
    const streamed = ask(CHAT_URL, post({ ...request, stream: true }));
    const body = (await next()).stream();
    body.push(sse.text("Hi"));
    const response = await streamed;
    body.end();
    await expect(response.text()).rejects.toMatchObject({ code: "STREAM_TRUNCATED" });
  });

  test("the AI SDK is thrown to, unless it is told otherwise, and finds no network error to try again for", async () => {
    const headers = { "user-agent": "ai/7.0.173 ai-sdk/provider-utils/5.0.51 runtime/node.js/20" };
    const gone = Object.assign(new TypeError("fetch failed"), {
      cause: Object.assign(new Error("reset"), { code: "ECONNRESET" }),
    });
    const { ask, next } = make({ policies: [] });
    const asked = ask(CHAT_URL, post(request, { headers }));
    (await next()).reject(gone);
    const error = await asked.then(
      () => undefined,
      (thrown: unknown) => thrown as { readonly cause: unknown },
    );
    expect(error).toMatchObject({ code: "TRANSPORT", cause: { cause: { code: "ECONNRESET" } } });
    expect(error?.cause).not.toBeInstanceOf(Error);
    const other = make({ policies: [], errorMode: "response" });
    const answered = other.ask(CHAT_URL, post(request, { headers }));
    (await other.next()).respond(503, "{}");
    expect((await answered).status).toBe(503);
  });

  test("an abort rejects with the signal's own reason, and breaks a body off", async () => {
    const { ask, clock, next } = make();
    for (const begun of [false, true]) {
      const controller = new AbortController();
      const asked = ask(CHAT_URL, post({ ...request, stream: true }, { signal: controller.signal }));
      const sent = await next();
      if (begun) {
        sent.stream().push(sse.text("Hi"));
        const response = await asked;
        controller.abort("left");
        await expect(response.text()).rejects.toBe("left");
      } else {
        controller.abort("left");
        await expect(asked).rejects.toBe("left");
      }
      await clock.settle();
      expect(sent.signal.aborted).toBe(true);
      expect(ask.snapshot().map(({ inFlight }) => inFlight)).toEqual([0, 0]);
      expect(clock.pending).toBe(0);
    }
  });

  test("an SDK that retries as well is hinted at", async () => {
    const { ask, events, next } = make();
    const asked = ask(CHAT_URL, post(request, { headers: { "x-stainless-retry-count": "1" } }));
    (await next()).respond(200, completion());
    await asked;
    expect(events.filter(({ type }) => type === "hint")).toMatchObject([
      { message: expect.stringContaining("maxRetries: 0") },
    ]);
  });

  test("a second host gets its own key, address and model, and nothing that was meant for the first", async () => {
    const second = fakeFetch();
    const { ask, clock, next } = make({
      policies: ({ host }) =>
        recommended({
          host,
          retry: false,
          fallback: deepseekUpstream({ host: "siliconflow", apiKey: "sk-theirs", fetch: second.fetch }),
        }),
    });
    const body = '{"model":"deepseek-flash","messages":[],"n":1.0,"thinking":{"type":"disabled"}}';
    const asked = ask(
      CHAT_URL,
      post(body, { headers: { authorization: "Bearer sk-mine", cookie: "c=1", "x-mine": "1" } }),
    );
    (await next()).respond(503, "{}");
    const sent = await second.next();
    sent.respond(200, completion());
    const response = await asked;
    expect(sent.url).toBe("https://api.siliconflow.cn/v1/chat/completions");
    expect(sent.body).toBe(
      '{"model":"deepseek-ai/DeepSeek-V4-Flash","messages":[],"n":1.0,"enable_thinking":false}',
    );
    expect(Object.fromEntries(sent.headers)).toEqual({
      accept: "application/json",
      authorization: "Bearer sk-theirs",
      "content-type": "application/json",
    });
    expect(response.headers.get("x-breakwater-degraded")).toBe("true");
    expect(clock.pending).toBe(0);
  });

  describe("passes what is no chat through", () => {
    test("untouched", async () => {
      const { ask, next } = make();
      const asked = ask("https://api.deepseek.com/user/balance", { headers: { authorization: "Bearer k" } });
      (await next()).respond(200, '{"is_available":true}', {
        "content-type": "application/json",
        "x-theirs": "1",
      });
      const response = await asked;
      expect(response.headers.get("x-theirs")).toBe("1");
      expect(await response.json()).toEqual({ is_available: true });
    });

    test("trying again by status, and giving the last response as it was", async () => {
      const { ask, clock, next, requests } = make();
      const asked = ask("https://api.deepseek.com/responses", post({ input: "x" }));
      for (let i = 0; i < 3; i++) (await clock.until(next())).respond(500, `try ${i}`);
      const response = await clock.until(asked);
      expect([response.status, await response.text()]).toEqual([500, "try 2"]);
      expect(response.headers.get("x-should-retry")).toBe("false");
      expect(requests).toHaveLength(3);
    });

    test("but not what can be read only once", async () => {
      const { ask, next, requests } = make();
      const asked = ask("https://api.deepseek.com/files", {
        method: "POST",
        body: new ReadableStream(),
        duplex: "half",
      });
      (await next()).respond(500, "no");
      expect((await asked).status).toBe(500);
      expect(requests).toHaveLength(1);
    });

    test("also a chat that cannot be understood: the host may say so", async () => {
      const { ask, next } = make();
      const asked = ask(CHAT_URL, post("{not json"));
      const sent = await next();
      expect(sent.body).toBe("{not json");
      sent.respond(400, "what?");
      expect(await (await asked).text()).toBe("what?");
    });
  });

  test("policies may change the request, not its address and headers", async () => {
    const { ask, clock, next } = make({
      policies: [retry({ request: (each: object) => ({ ...each, model: "deepseek-v4-pro" }) })],
    });
    const asked = ask(CHAT_URL, post());
    (await next()).respond(503, "{}");
    const sent = await clock.until(next());
    expect(JSON.parse(sent.body)).toEqual({ ...request, model: "deepseek-v4-pro" });
    expect([sent.url, sent.headers.get("authorization")]).toEqual([CHAT_URL, "Bearer sk-mine-0123456789"]);
    sent.respond(200, completion());
    await asked;
  });

  test.each([
    [{ errorMode: "reject" }, /errorMode must be one of "auto", "response", "throw"/],
    [{ maxTargets: 0 }, /maxTargets must be a whole number/],
    [{ retries: 3 }, /unknown option "retries"/],
    [{ policies: {} }, /policies must be an array/],
    [{ tail: "soon" }, /tail must be milliseconds/],
  ])("refuses %o", (options, message) => {
    expect(() => deepseekFetch(options as never)).toThrow(message);
  });
});
