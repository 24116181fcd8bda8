import { bulkhead, retry } from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import { describe, expect, test } from "vitest";

import { createDeepSeek } from "../deepseek.ts";
import { completion, fakeFetch, inUse, sse } from "../fake-fetch.test-help.ts";
import type { HandlerOptions } from "./handler.ts";

const KEY = "sk-0123456789abcdef";

function serve(options: Partial<HandlerOptions> = {}, policies: Parameters<typeof createDeepSeek>[0] = {}) {
  const fake = fakeFetch();
  const clock = createTestClock();
  const deepseek = createDeepSeek({
    apiKey: KEY,
    baseURL: "http://host.test",
    fetch: fake.fetch,
    runtime: clock,
    policies: [retry({ attempts: 2 }), bulkhead({ concurrency: 10 })],
    ...policies,
  });
  const handler = deepseek.handler({ authorize: "public", ...options });
  return { ...fake, clock, deepseek, handler };
}

const chat = (body: unknown = { messages: [] }, more: RequestInit = {}): Request =>
  new Request("http://here.test/v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...more,
  });

const STREAM = { messages: [], stream: true };

/** Reads as it comes. */
function reading(response: Response) {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  return {
    next: async () => {
      const { done, value } = await reader.read();
      return done ? undefined : decoder.decode(value);
    },
    cancel: () => reader.cancel("left"),
  };
}

describe("a router", () => {
  test("answers a chat as the host does, and with what is known of it", async () => {
    const { handler, next, clock, deepseek } = serve();
    const asked = handler(
      chat(
        { messages: [], model: "deepseek-flash", seed: 1 },
        { headers: { "content-type": "application/json; charset=utf-8", "x-request-id": "req-7" } },
      ),
    );
    const sent = await next();
    sent.respond(200, completion(), { "content-type": "application/json", "x-ds-trace-id": "secret-trace" });
    const response = await asked;
    expect(await response.text()).toBe(completion());
    expect(Object.fromEntries(response.headers)).toEqual({
      "content-type": "application/json",
      "x-breakwater-attempts": "1",
      "x-breakwater-call-id": "req-7",
      "x-request-id": "req-7",
    });
    expect(sent.body).toBe('{"messages":[],"model":"deepseek-flash","seed":1}');
    expect([inUse(deepseek), clock.pending]).toEqual([{ inFlight: 0, permits: 0 }, 0]);
  });

  test("never forwards what a caller identifies himself with", async () => {
    const { handler, next } = serve();
    const headers = {
      "content-type": "application/json",
      authorization: "Bearer theirs",
      cookie: "session=1",
      "x-api-key": "theirs",
      "x-other": "1",
    };
    const asked = handler(chat({ messages: [] }, { headers }));
    const sent = await next();
    expect(Object.fromEntries(sent.headers)).toEqual({
      accept: "application/json",
      authorization: `Bearer ${KEY}`,
      "content-type": "application/json",
    });
    sent.respond(200, completion());
    await asked;
  });

  test("answers a stream, ends it with [DONE], and reads no faster than it is read", async () => {
    const { handler, next, deepseek, clock } = serve();
    const asked = handler(chat(STREAM));
    const body = (await next()).stream();
    body.push(sse.role + sse.text("Hi"));
    const response = await asked;
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(response.headers.get("x-accel-buffering")).toBe("no");
    body.push(sse.finish() + sse.done);
    body.end();
    expect(await response.text()).toBe(sse.role + sse.text("Hi") + sse.finish() + sse.done);
    await clock.settle();
    expect([inUse(deepseek), clock.pending]).toEqual([{ inFlight: 0, permits: 0 }, 0]);
  });

  test("gives a stream that fails before its first token a real status", async () => {
    const { clock, handler, next } = serve();
    const asked = handler(chat(STREAM));
    for (let i = 0; i < 2; i++) (await clock.until(next())).respond(503, "{}", { "retry-after": "1" });
    const response = await clock.until(asked);
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await response.json()).toMatchObject({
      error: { code: "OVERLOADED", message: "The model is overloaded at the moment." },
    });
    expect(clock.pending).toBe(0);
  });

  test("keeps a client 15 s at most: then come 200, keep-alives and, at last, the answer", async () => {
    const { clock, deepseek, handler, next } = serve();
    const asked = handler(chat(STREAM));
    const body = (await next()).stream();
    await clock.advance(14_999);
    body.push(sse.keepAlive);
    await clock.advance(1);
    const response = await asked;
    expect(response.status).toBe(200);
    const reader = reading(response);
    let piece = reader.next();
    await clock.advance(12_000);
    expect(await piece).toBe(": keep-alive\n\n");
    piece = reader.next();
    await clock.settle();
    body.push(sse.text("Hi"));
    expect(await piece).toBe(sse.text("Hi"));
    piece = reader.next();
    body.push(sse.finish() + sse.done);
    body.end();
    expect([await piece, await reader.next(), await reader.next()]).toEqual([
      sse.finish(),
      sse.done,
      undefined,
    ]);
    expect([inUse(deepseek), clock.pending]).toEqual([{ inFlight: 0, permits: 0 }, 0]);
  });

  test("tells a failure that comes after that in band, without [DONE]", async () => {
    const { clock, handler, next } = serve();
    const asked = handler(chat(STREAM));
    const sent = await next();
    await clock.advance(15_000);
    const response = await asked;
    sent.respond(402, '{"error":{"message":"Insufficient Balance"}}');
    const text = await response.text();
    expect(text).toBe(
      'data: {"error":{"message":"The request could not be answered.","type":"breakwater_error","param":null,"code":"QUOTA"}}\n\n',
    );
    (await next()).respond(200, '{"is_available":false}');
    await clock.settle();
    expect(clock.pending).toBe(0);
  });

  test("tells in band that a stream broke off", async () => {
    const { handler, next } = serve();
    const asked = handler(chat(STREAM));
    const body = (await next()).stream();
    body.push(sse.text("Hi"));
    const response = await asked;
    body.end();
    expect(await response.text()).toBe(
      `${sse.text("Hi")}data: {"error":{"message":"The answer broke off.","type":"breakwater_error","param":null,"code":"STREAM_TRUNCATED"}}\n\n`,
    );
  });

  test.each(["its signal", "its body", "its body while it is kept waiting"])(
    "ends the call of a client who leaves by %s",
    async (way) => {
      const { clock, deepseek, handler, next } = serve();
      const controller = new AbortController();
      const asked = handler(chat(STREAM, { signal: controller.signal }));
      const sent = await next();
      if (way.endsWith("waiting")) await clock.advance(15_000);
      else if (way === "its body") sent.stream().push(sse.text("Hi"));
      if (way === "its signal") {
        controller.abort();
        expect((await asked).status).toBe(503);
      } else await reading(await asked).cancel();
      await clock.settle();
      expect(sent.signal.aborted).toBe(true);
      expect([inUse(deepseek), clock.pending]).toEqual([{ inFlight: 0, permits: 0 }, 0]);
    },
  );

  test("tells those who are being read to when it shuts down", async () => {
    const { clock, deepseek, handler, next } = serve();
    const asked = handler(chat(STREAM));
    (await next()).stream().push(sse.text("Hi"));
    const reader = reading(await asked);
    await reader.next();
    const rest = reader.next();
    const closing = deepseek.close();
    await clock.advance(1_000);
    expect(await rest).toContain('"error":');
    await closing;
    expect((await handler(chat())).status).toBe(503);
  });

  test("lists the models", async () => {
    const { handler } = serve({}, { models: { "my-flash": "deepseek-flash" } });
    const response = await handler(new Request("http://here.test/v1/models"));
    const { data } = (await response.json()) as { data: { id: string }[] };
    expect(data.map(({ id }) => id)).toEqual(["deepseek-flash", "deepseek-v4-pro", "my-flash"]);
  });
});

describe("who may call", () => {
  test("must be said", () => {
    const { deepseek } = serve();
    for (const options of [{}, { authorize: true }, { authorize: "everybody" }]) {
      expect(() => deepseek.handler(options as never)).toThrow(/authorize is required/);
    }
    expect(() => deepseek.handler({ authorize: "public", cors: true } as never)).toThrow(
      /unknown option "cors"/,
    );
  });

  test("is asked before anything is done, and gives the call its tenant", async () => {
    const seen: unknown[] = [];
    const spy = {
      kind: "spy",
      name: "spy",
      apply: (inner: never) => (call: { tenant?: string; priority: string }) => {
        seen.push([call.tenant, call.priority]);
        return (inner as (call: unknown) => never)(call);
      },
    };
    const { handler, next, requests } = serve(
      {
        authorize: async (request) =>
          request.headers.get("authorization") === "Bearer good" && { tenant: "ada", priority: "batch" },
      },
      { policies: [spy as never] },
    );
    const refused = await handler(chat());
    expect(refused.status).toBe(401);
    expect(await refused.json()).toMatchObject({ error: { code: "UNAUTHORIZED" } });
    expect((await handler(new Request("http://here.test/v1/models"))).status).toBe(401);
    expect(requests).toHaveLength(0);

    const asked = handler(
      chat(
        { messages: [] },
        { headers: { "content-type": "application/json", authorization: "Bearer good" } },
      ),
    );
    (await next()).respond(200, completion());
    expect((await asked).status).toBe(200);
    expect(seen).toEqual([["ada", "batch"]]);
  });

  test("is nobody when the question itself fails", async () => {
    const broken = new Error("the session store is down");
    const { handler, requests } = serve({ authorize: () => Promise.reject(broken) });
    await expect(handler(chat())).rejects.toBe(broken);
    expect(requests).toHaveLength(0);
  });
});

describe("requests that are not served", () => {
  test.each([
    ["another path", new Request("http://here.test/v1/embeddings", { method: "POST" }), 404, "NOT_FOUND"],
    ["another method", new Request("http://here.test/v1/chat/completions"), 405, "METHOD_NOT_ALLOWED"],
    [
      "another method for models",
      new Request("http://here.test/v1/models", { method: "POST" }),
      405,
      "METHOD_NOT_ALLOWED",
    ],
    [
      "another content type",
      chat("{}", { headers: { "content-type": "text/plain" } }),
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    ],
    ["no JSON", chat("{not json"), 400, "INVALID_REQUEST"],
    ["no object", chat("[]"), 400, "INVALID_REQUEST"],
    ["no messages", chat("{}"), 400, "INVALID_REQUEST"],
    ["no body", chat("", { body: null }), 400, "INVALID_REQUEST"],
    ["a body that is too large", chat({ messages: ["x".repeat(2_000)] }), 413, "BODY_TOO_LARGE"],
    [
      "a body that is too large and does not say so",
      chat("", { body: new Blob(["x".repeat(2_000)]).stream() as ReadableStream, duplex: "half" } as never),
      413,
      "BODY_TOO_LARGE",
    ],
  ])("%s", async (_, request, status, code) => {
    const { handler, requests } = serve({ bodyLimit: 1_000 });
    const response = await handler(request);
    expect(response.status).toBe(status);
    expect(response.headers.get("x-should-retry")).toBe("false");
    expect(await response.json()).toMatchObject({
      error: { code, param: null, type: "invalid_request_error" },
    });
    expect(requests).toHaveLength(0);
  });
});

describe("what a guest is told", () => {
  test.each([
    [
      "his own mistake, in the host's words",
      400,
      "This model's maximum context length is 1048576 tokens.",
      400,
      "CONTEXT_WINDOW",
      /maximum context length/,
    ],
    [
      "nothing of our key",
      401,
      "Your api key: ****cdef is invalid",
      502,
      "AUTH",
      /^The request could not be answered\.$/,
    ],
    [
      "nothing of our account",
      402,
      "Insufficient Balance",
      402,
      "QUOTA",
      /^The request could not be answered\.$/,
    ],
    [
      "nothing of our limits",
      429,
      "exceeds your concurrency limit of 25 based on your remaining balance",
      429,
      "RATE_LIMIT",
      /^The model is asked too often/,
    ],
  ])("%s", async (_, theirs, message, status, code, says) => {
    const { clock, handler, next } = serve({}, { policies: [] });
    const asked = handler(chat());
    (await clock.until(next())).respond(theirs, JSON.stringify({ error: { message, type: "x" } }));
    const response = await asked;
    expect(response.status).toBe(status);
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    expect(error.code).toBe(code);
    expect(error.message).toMatch(says);
    expect(response.headers.get("x-breakwater-target")).toBeNull();
  });
});
