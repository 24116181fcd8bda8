import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { bulkhead, retry, timeout } from "@breakwater/core";
import { describe, expect, test } from "vitest";

import { bench, completion, essence, inUse, readAll, sse, STREAM } from "./fake-fetch.test-help.ts";
import { rawOf } from "./raw.ts";
import { type ChatChunk, isStream } from "./types.ts";

describe("a stream", () => {
  test("is answered at its first token, with what came before it", async () => {
    const { clock, next, outcome } = bench();
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    body.push(sse.keepAlive + sse.role);
    let answered = false;
    void asked.then(() => (answered = true));
    await clock.settle();
    expect(answered).toBe(false);

    body.push(sse.text("Hel"));
    const answer = await asked;
    if (answer.status !== "answered") throw new Error(answer.status);
    body.push(sse.text("lo") + sse.finish() + sse.done);
    body.end();
    const { text, chunks, error } = await readAll(answer.value);
    expect(error).toBeUndefined();
    expect(text).toBe("Hello");
    expect(chunks).toHaveLength(4);
    expect(await answer.end).toMatchObject({
      status: "answered",
      usage: { promptTokens: 3, totalTokens: 5 },
    });
    expect(answer.meta).toMatchObject({
      attempts: 1,
      target: "deepseek",
      model: "deepseek-flash",
      traceId: "trace-1",
    });
    expect(clock.pending).toBe(0);
  });

  const DATA =
    sse.role + sse.keepAlive + sse.thought("思考🤔") + sse.text("再见 👋") + sse.finish() + sse.done;

  test.each([1, 2, 3, 4, 5, 6, 7])(
    "may be torn every %i bytes, inside of characters and events",
    async (size) => {
      for (const text of [DATA, DATA.replaceAll("\n", "\r\n")]) {
        const { next, outcome } = bench();
        const asked = outcome(STREAM);
        const body = (await next()).stream();
        const bytes = new TextEncoder().encode(text);
        for (let i = 0; i < bytes.length; i += size) body.push(bytes.slice(i, i + size));
        body.end();
        const answer = await asked;
        if (answer.status !== "answered") throw new Error(answer.status);
        const read = await readAll(answer.value);
        expect(read.error).toBeUndefined();
        expect(read.chunks.map((chunk) => `data: ${rawOf(chunk)}\n\n`).join("") + sse.done).toBe(
          DATA.replace(sse.keepAlive, ""),
        );
      }
    },
  );

  test.each([
    ["without a byte", "", "EMPTY_BODY"],
    ["after keep-alives", sse.keepAlive.repeat(3), "EMPTY_BODY"],
    ["after its role", sse.role, "STREAM_TRUNCATED"],
    ["after a line that is no event", "upstream error: read ECONNRESET\n", "MALFORMED_RESPONSE"],
    ["after [DONE] alone", sse.done, "EMPTY_RESPONSE"],
    ["finished with nothing in it", sse.role + sse.finish("stop"), "EMPTY_RESPONSE"],
    ["interrupted at once", sse.role + sse.finish("insufficient_system_resource"), "UPSTREAM_INTERRUPTED"],
    ["aborted at once", sse.finish("aborted"), "UPSTREAM_INTERRUPTED"],
    [
      "interrupted in the packet of its first token",
      sse.text("x") + sse.finish("aborted"),
      "UPSTREAM_INTERRUPTED",
    ],
    ["with an event that is no JSON", "data: {not json\n\n", "MALFORMED_RESPONSE"],
    ["with an event that is torn", sse.role + sse.text("x").slice(0, 40), "STREAM_TRUNCATED"],
    ["that is a JSON body", completion(), "WRONG_CONTENT_TYPE"],
    ["that is a page", "<html>\n<title>502</title>", "WRONG_CONTENT_TYPE"],
    ["that is a JSON error", '{"error":{"message":"busy","type":"service_unavailable_error"}}', "OVERLOADED"],
  ])("that ends %s can be tried again", async (_, text, code) => {
    const { clock, next, outcome } = bench();
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    body.push(text);
    body.end();
    expect(essence(await asked)).toMatchObject({ code, fault: "upstream", retryable: true });
    expect(clock.pending).toBe(0);
  });

  test("that only kept alive until the queue's limit was given up there", async () => {
    const { clock, next, outcome } = bench();
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    body.push(sse.keepAlive);
    await clock.advance(590_000);
    body.end();
    expect(essence(await asked)).toMatchObject({ code: "QUEUE_TIMEOUT", retryable: true });
  });

  test.each([
    ["another content type", "text/html", "<html>", "WRONG_CONTENT_TYPE"],
    ["JSON", "application/json", completion(), "WRONG_CONTENT_TYPE"],
    ["a JSON error", "application/json", '{"code":50508,"message":"System is too busy now."}', "OVERLOADED"],
    ["an empty page", "text/plain", "", "EMPTY_BODY"],
  ])("that turns out to be %s is none", async (_, type, text, code) => {
    const { next, outcome } = bench();
    const asked = outcome(STREAM);
    (await next()).respond(200, text, { "content-type": type });
    expect(essence(await asked)).toMatchObject({ code, retryable: true });
  });

  test.each([
    ["a clean end", (body: { end(): void }) => body.end(), "STREAM_TRUNCATED"],
    [
      "a reset",
      (body: { fail(error: unknown): void }) => body.fail(new TypeError("terminated")),
      "TRANSPORT",
    ],
    [
      "an interruption",
      (body: { push(text: string): void }) => body.push(sse.finish("insufficient_system_resource")),
      "UPSTREAM_INTERRUPTED",
    ],
    [
      "an error event",
      (body: { push(text: string): void }) => body.push(sse.error({ message: "x", type: "server_error" })),
      "SERVER",
    ],
    [
      "an event that is no JSON",
      (body: { push(text: string): void }) => body.push("data: {oops\n\n"),
      "MALFORMED_RESPONSE",
    ],
  ])("trap 63: that is cut by %s after its first token ends with an error", async (_, cut, code) => {
    const { clock, next, outcome } = bench();
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    body.push(sse.role + sse.text("He"));
    const answer = await asked;
    if (answer.status !== "answered") throw new Error(answer.status);
    cut(body);
    const { text, error } = await readAll(answer.value);
    expect(text).toBe("He");
    expect(error).toMatchObject({ name: "UpstreamError", code });
    expect(await answer.end).toMatchObject({ status: "failed", fault: "upstream", spent: true, error });
    expect(clock.pending).toBe(0);
  });

  test("keeps the verdict of an error event for those who look at the ending", async () => {
    const { next, outcome } = bench();
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    body.push(sse.text("He"));
    const answer = await asked;
    if (answer.status !== "answered") throw new Error(answer.status);
    body.push(sse.error({ message: "Insufficient Balance", type: "unknown_error" }));
    await readAll(answer.value);
    expect(await answer.end).toMatchObject({ status: "failed", scope: "account", retryable: false });
  });

  describe("that is finished", () => {
    const finished = async (end: string, options = {}) => {
      const made = bench(options);
      const asked = made.outcome(STREAM);
      const body = (await made.next()).stream();
      body.push(sse.role + sse.text("Hi") + sse.finish() + end);
      const answer = await asked;
      if (answer.status !== "answered") throw new Error(answer.status);
      return { ...made, body, answer, reading: readAll(answer.value) };
    };

    test("is a success without [DONE]", async () => {
      const { body, clock, reading } = await finished("");
      body.end();
      expect((await reading).error).toBeUndefined();
      expect(clock.pending).toBe(0);
    });

    test("is cut off without [DONE], if that is asked for", async () => {
      const { body, reading } = await finished("", { strictDone: true });
      body.end();
      expect((await reading).error).toMatchObject({ code: "STREAM_TRUNCATED" });
    });

    test("is over 5 s later at most, whatever still comes", async () => {
      const { answer, body, clock, reading } = await finished("");
      await clock.advance(4_000);
      body.push(sse.keepAlive);
      await clock.advance(999);
      expect(clock.pending).toBeGreaterThan(0);
      await clock.advance(1);
      expect(await reading).toMatchObject({ text: "Hi", error: undefined });
      expect(body.cancelled).toBe(true);
      expect(await answer.end).toMatchObject({ status: "answered" });
      expect(clock.pending).toBe(0);
    });

    test("gives the usage that comes after the reason, as OpenAI sends it", async () => {
      const { body, reading } = await finished("");
      body.push(sse.usage + sse.done);
      expect((await reading).chunks.at(-1)?.usage).toMatchObject({ total_tokens: 5 });
    });

    test("cannot be spoilt by a reset", async () => {
      const { body, reading } = await finished("");
      body.fail(new TypeError("terminated"));
      expect((await reading).error).toBeUndefined();
    });

    test("lets the connection come to its end, so that it can be used again", async () => {
      const { body, clock, reading } = await finished(sse.done);
      expect((await reading).error).toBeUndefined();
      expect(body.cancelled).toBe(false);
      body.end();
      await clock.settle();
      expect([body.cancelled, clock.pending]).toEqual([false, 0]);
    });
  });

  test.each([
    ["length", /LENGTH_NO_CONTENT/],
    ["content_filter", undefined],
    ["dragons", /"dragons" is not known/],
  ])("without text that finishes with %s is an answer", async (reason, hint) => {
    const { hints, next, outcome } = bench();
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    body.push(sse.role + sse.finish(reason) + sse.done);
    body.end();
    const answer = await asked;
    if (answer.status !== "answered") throw new Error(answer.status);
    expect((await readAll(answer.value)).chunks).toHaveLength(2);
    expect(hints).toEqual(hint === undefined ? [] : [expect.stringMatching(hint)]);
  });

  test("marks progress, and only progress, as tokens; phases as they change", async () => {
    const marks: string[] = [];
    const { clock, next, outcome } = bench(
      {},
      {
        kind: "spy",
        name: "spy",
        apply: (inner) => (call) => {
          call.watch((mark) => marks.push(mark));
          return inner(call);
        },
      },
    );
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    await clock.settle();
    body.push(sse.role + sse.keepAlive);
    await clock.settle();
    body.push(sse.thought("hm"));
    const answer = await asked;
    if (answer.status !== "answered") throw new Error(answer.status);
    body.push(sse.text("Hi") + sse.finish() + sse.done);
    body.end();
    await readAll(answer.value);
    const told = marks.filter((mark) => mark !== "paused" && mark !== "resumed");
    expect(told).toEqual([
      "dispatched",
      "headers",
      "alive",
      "started",
      "alive",
      "reasoning",
      "token",
      "answered",
      "alive",
      "answering",
      "token",
    ]);
  });

  test("trap 64: that its reader leaves is cancelled and gives its permit back", async () => {
    const { ask, clock, next, outcome } = bench({}, bulkhead({ concurrency: 1 }));
    const asked = outcome(STREAM);
    const request = await next();
    const body = request.stream();
    body.push(sse.text("a") + sse.text("b"));
    const answer = await asked;
    if (answer.status !== "answered" || !isStream(answer.value)) throw new Error(answer.status);
    expect(inUse(ask)).toEqual({ inFlight: 1, permits: 1 });
    for await (const _ of answer.value) break;
    await clock.settle();
    expect(body.cancelled).toBe(true);
    expect(await answer.end).toMatchObject({ status: "cancelled" });
    expect(inUse(ask)).toEqual({ inFlight: 0, permits: 0 });
    expect(clock.pending).toBe(0);
  });

  test("trap 65: that nobody reads holds its permit for a minute and not for ever", async () => {
    const { ask, clock, next, outcome } = bench({}, bulkhead({ concurrency: 1 }));
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    body.push(sse.text("a"));
    await asked;
    await clock.advance(60_000);
    expect(inUse(ask)).toEqual({ inFlight: 0, permits: 0 });
    expect(body.cancelled).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test("trap 61: is not tried again once its first token is out, and invisibly before", async () => {
    const { clock, next, outcome, requests } = bench({}, retry({ attempts: 3 }));
    const asked = outcome(STREAM);
    const first = (await next()).stream();
    first.push(sse.role);
    first.end();
    const second = (await clock.until(next())).stream();
    second.push(sse.text("He"));
    const answer = await asked;
    if (answer.status !== "answered") throw new Error(answer.status);
    second.end();
    expect(await readAll(answer.value)).toMatchObject({ text: "He", error: { code: "STREAM_TRUNCATED" } });
    expect(requests).toHaveLength(2);
    expect(answer.meta.attempts).toBe(2);
  });

  test("trap 58: that the caller aborts ends with his own reason, before and after its first token", async () => {
    const reason = new Error("tab closed");
    for (const begun of [false, true]) {
      const { ask, clock, next, outcome } = bench({}, bulkhead({ concurrency: 1 }));
      const controller = new AbortController();
      const asked = outcome(STREAM, controller.signal);
      const request = await next();
      const body = request.stream();
      if (begun) body.push(sse.text("a"));
      await clock.settle();
      const reading = begun
        ? asked.then((answer) => readAll(answer.status === "answered" && answer.value))
        : undefined;
      await clock.settle();
      controller.abort(reason);
      if (reading === undefined) expect(await asked).toMatchObject({ status: "cancelled", reason });
      else expect((await reading).error).toBe(reason);
      await clock.settle();
      expect(request.signal.aborted).toBe(true);
      expect(inUse(ask)).toEqual({ inFlight: 0, permits: 0 });
      expect(clock.pending).toBe(0);
    }
  });

  test("that is deaf to its signal lets go all the same", async () => {
    const cancelled: string[] = [];
    const body = new ReadableStream({ cancel: () => void cancelled.push("body") });
    const fetch = async () => new Response(body, { headers: { "content-type": "text/event-stream" } });
    const { ask, clock, outcome } = bench({ fetch }, timeout({ firstToken: "5s" }));
    const failed = await clock.until(outcome(STREAM));
    expect(essence(failed)).toMatchObject({ code: "TIMED_OUT", fault: "upstream" });
    await clock.settle();
    expect(cancelled).toEqual(["body"]);
    expect(ask.snapshot().inFlight).toBe(0);
  });

  test("with an event that never ends is given up at its bound", async () => {
    const { next, outcome } = bench({ maxEventChars: 1_000 });
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    body.push(`data: ${"x".repeat(2_000)}`);
    expect(essence(await asked)).toMatchObject({ code: "MALFORMED_RESPONSE" });
    expect(body.cancelled).toBe(true);
  });

  test("that holds back too much begins without a token", async () => {
    const { next, outcome } = bench({ maxWithheld: 1_000 });
    const asked = outcome(STREAM);
    (await next()).stream().push(sse.role.repeat(10));
    expect((await asked).status).toBe("answered");
  });
});

describe("a whole answer", () => {
  test("is given with its usage, after blank lines", async () => {
    const { next, outcome } = bench();
    const asked = outcome();
    (await next()).respond(200, `\n\n\n${completion()}`);
    const answer = await asked;
    expect(answer).toMatchObject({
      status: "answered",
      value: { choices: [{ message: { content: "Hello" } }] },
      meta: { usage: { promptTokens: 3, completionTokens: 2, cachedPromptTokens: 2 }, target: "deepseek" },
    });
  });

  test.each([
    ["nothing", "", "EMPTY_BODY"],
    ["blank lines", "\n\n\n", "EMPTY_BODY"],
    ["half of it", completion().slice(0, 60), "MALFORMED_RESPONSE"],
    ["no choices", '{"id":"x","choices":[]}', "MALFORMED_RESPONSE"],
    ["an empty text", completion({ content: "" }), "EMPTY_RESPONSE"],
    [
      "an interruption",
      completion({ content: "Hel" }, "insufficient_system_resource"),
      "UPSTREAM_INTERRUPTED",
    ],
  ])("that is %s can be tried again", async (_, body, code) => {
    const { next, outcome } = bench();
    const asked = outcome();
    (await next()).respond(200, body);
    expect(essence(await asked)).toMatchObject({ code, fault: "upstream", retryable: true });
  });

  test.each([
    ["reasoning alone", completion({ content: "", reasoning_content: "hm" })],
    ["a tool call", completion({ content: null, tool_calls: [{ id: "1" }] }, "tool_calls")],
    ["max_tokens used up by reasoning", completion({ content: "" }, "length")],
    ["no reason", completion({ content: "Hi" }, null)],
    ["a reason that nobody knows", completion({ content: "Hi" }, "dragons")],
  ])("with %s is one", async (_, body) => {
    const { next, outcome } = bench();
    const asked = outcome();
    (await next()).respond(200, body);
    expect((await asked).status).toBe("answered");
  });

  test("that only kept alive until the queue's limit was given up there", async () => {
    const { clock, next, outcome } = bench();
    const asked = outcome();
    const body = (await next()).stream("application/json");
    body.push("\n\n");
    await clock.advance(590_000);
    body.end();
    expect(essence(await asked)).toMatchObject({ code: "QUEUE_TIMEOUT", retryable: true });
  });

  test("is not a stream", async () => {
    const { next, outcome } = bench();
    const asked = outcome();
    (await next()).stream().push(sse.text("Hi"));
    expect(essence(await asked)).toMatchObject({ code: "WRONG_CONTENT_TYPE" });
  });

  test("may take its time: the clocks that wait for tokens stand down", async () => {
    const { clock, next, outcome } = bench({}, timeout({ firstToken: "60s", liveness: "40s", idle: "60s" }));
    const asked = outcome();
    const body = (await next()).stream("application/json");
    await clock.advance(300_000);
    body.push(completion());
    body.end();
    expect((await asked).status).toBe("answered");
    expect(clock.pending).toBe(0);
  });
});

describe("the network", () => {
  const refused = new TypeError("fetch failed", {
    cause: Object.assign(new Error("connect ECONNREFUSED 10.0.0.1"), { code: "ECONNREFUSED" }),
  });

  test.each([STREAM, {}])(
    "that fails is worth another try, and says how without saying where",
    async (request) => {
      const { next, outcome } = bench();
      const asked = outcome(request);
      (await next()).reject(refused);
      const failed = await asked;
      expect(essence(failed)).toEqual({
        code: "TRANSPORT",
        fault: "upstream",
        retryable: true,
        scope: "host",
      });
      expect(failed).toMatchObject({
        error: { message: expect.stringMatching(/\(ECONNREFUSED\)$/), cause: refused },
      });
    },
  );

  test("is not what a mistake in a given fetch is: that is thrown as it is", async () => {
    const mistake = new TypeError("Cannot read properties of undefined (reading 'connect')");
    const { outcome } = bench({ fetch: () => Promise.reject(mistake) });
    expect(await outcome()).toMatchObject({ status: "failed", fault: "caller", error: mistake });
  });
});

test.each(["my diagnosis is narcolepsy", "sk-0123456789abcdef", "x".repeat(129)])(
  "is not called %j by the host, whatever that says: it would stand in logs",
  async (traceId) => {
    const { next, outcome } = bench();
    const asked = outcome();
    (await next()).respond(500, "{}", { "content-type": "application/json", "x-ds-trace-id": traceId });
    const { meta } = await asked;
    expect(meta.traceId).toBeUndefined();
  },
);

test("an error answer that never ends is read for a few seconds only, and its status counts", async () => {
  const { clock, outcome } = bench({
    fetch: async () => new Response(new ReadableStream(), { status: 503, headers: { "retry-after": "2" } }),
  });
  const asked = outcome();
  await clock.advance(5_000);
  expect(essence(await asked)).toMatchObject({ code: "OVERLOADED", status: 503, retryAfterMs: 2_000 });
  expect(clock.pending).toBe(0);
});

const FIXTURES = fileURLToPath(new URL("../../../../shared/fixtures/deepseek-wire/", import.meta.url));
const recorded = existsSync(FIXTURES);
if (!recorded) console.info("deepseek: recorded answers are not there; their tests are skipped");

describe.skipIf(!recorded)("what DeepSeek sent one day", () => {
  test("as a stream comes through byte for byte", async () => {
    const lines = readFileSync(`${FIXTURES}deepseek-text.chunks.txt`, "utf8").trim().split("\n");
    const { next, outcome } = bench();
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    body.push(`${lines.map((line) => `data: ${line}\n\n`).join("")}data: [DONE]\n\n`);
    body.end();
    const answer = await asked;
    if (answer.status !== "answered") throw new Error(answer.status);
    const { chunks, error } = await readAll(answer.value);
    expect(error).toBeUndefined();
    expect(chunks.map((chunk: ChatChunk) => rawOf(chunk))).toEqual(lines);
    expect(answer.meta.usage).toMatchObject({ completionTokens: 400 });
  });

  test.each(["deepseek-text.json", "deepseek-json.json"])("as %s is an answer", async (file) => {
    const text = readFileSync(FIXTURES + file, "utf8");
    const { next, outcome } = bench();
    const asked = outcome();
    (await next()).respond(200, text);
    const answer = await asked;
    if (answer.status !== "answered" || isStream(answer.value)) throw new Error(answer.status);
    expect(rawOf(answer.value)).toBe(text);
  });
});
