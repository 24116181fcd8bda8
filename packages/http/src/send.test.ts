import {
  type Client,
  createClient,
  guard,
  type Policy,
  TimedOutError,
  upstream,
  type Upstream,
  UpstreamError,
} from "@breakwater/core";
import { createTestClock, scriptedUpstream } from "@breakwater/testing";
import { describe, expect, test } from "vitest";

import { openContext } from "./context.ts";
import { sendEvents } from "./events.ts";
import { sendOutcome, type SendOptions } from "./send.ts";
import { visit, listener, serve, turn, until } from "./server.test-help.ts";

/** A server of one route, which answers with what a client answers. */
async function serveClient<Res>(ask: Pick<Client<string, Res>, "outcome">, options: SendOptions<Res> = {}) {
  const { listen, thrown } = listener((req, res) =>
    openContext(req, res, {}, () => sendOutcome(res, ask.outcome("hello"), options)),
  );
  return { ...(await serve(listen)), thrown };
}

/** Counts what is inside until it has really stopped, as a bulkhead does. */
function permits(): Policy & { readonly held: number } {
  let held = 0;
  const policy = guard("permits", {
    name: "permits",
    admit(call) {
      held++;
      call.hold(() => held--, 60_000);
      return undefined;
    },
  });
  return Object.defineProperty(policy, "held", { get: () => held }) as Policy & { held: number };
}

describe("JSON", () => {
  test("is what the client answers, with what is known of it in headers", async () => {
    const { url } = await serveClient(
      createClient(upstream((word: string) => ({ word }), { name: "words" })),
    );
    const response = await fetch(url, { headers: { "x-request-id": "r1" } });
    expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(response.headers.get("x-breakwater-call-id")).toBe("r1");
    expect(response.headers.get("x-breakwater-attempts")).toBe("1");
    expect(await response.json()).toEqual({ word: "hello" });
  });

  test("can be rendered", async () => {
    const ask = createClient(upstream((word: string) => ({ word, secret: 1 })));
    const { url } = await serveClient(ask, { render: ({ word }) => word.toUpperCase() });
    expect(await (await fetch(url)).text()).toBe('"HELLO"');
  });

  test("says its length in bytes to HEAD as well", async () => {
    const { url } = await serveClient(createClient(upstream(() => "☸")));
    const head = await fetch(url, { method: "HEAD" });
    expect(head.headers.get("content-length")).toBe("5");
    expect(await head.text()).toBe("");
    expect(await (await fetch(url)).json()).toBe("☸");
  });

  test("nothing is null", async () => {
    const { url } = await serveClient(createClient(upstream(() => undefined)));
    expect(await (await fetch(url)).text()).toBe("null");
  });

  test("meta cannot break the headers", async () => {
    const odd: Upstream<string, number> = (call) => {
      Object.assign(call.meta, { target: "a\r\nset-cookie: x=1", cache: "hit", degraded: true });
      return { status: "answered", value: 1, meta: call.meta };
    };
    const { url } = await serveClient(createClient(odd));
    const { headers } = await fetch(url);
    expect(headers.get("x-breakwater-target")).toBe("a??set-cookie: x=1");
    expect(headers.get("x-breakwater-cache")).toBe("hit");
    expect(headers.get("x-breakwater-degraded")).toBe("true");
    expect(headers.has("set-cookie")).toBe(false);
  });
});

test("whoever asks for the head alone keeps no permit for a stream that nobody reads", async () => {
  const script = scriptedUpstream();
  const counter = permits();
  const { url } = await serveClient(createClient(script.upstream, counter));
  const response = fetch(url, { method: "HEAD" });
  const stream = (await script.next()).stream("one");
  expect((await response).headers.get("content-type")).toContain("text/event-stream");
  await until(() => stream.stopped && counter.held === 0);
});

describe("a framework's own way to send what goes out in one piece", () => {
  /** Notes what is sent in which way. */
  async function serveNoting(ask: Pick<Client<string, unknown>, "outcome">) {
    const notes: unknown[] = [];
    const { listen } = listener((_req, res) =>
      sendOutcome(
        res,
        ask.outcome("hello"),
        {},
        {
          json: (body) => res.end(notes.push({ body })),
          problem: ({ problem }, error) => res.end(notes.push({ code: problem.code, error })),
          stream: () => void notes.push({ headersSent: res.headersSent }),
        },
      ),
    );
    return { ...(await serve(listen)), notes };
  }

  test("is given answers, and nothing as null", async () => {
    for (const [value, body] of [
      [{ a: 1 }, { a: 1 }],
      [undefined, null],
    ]) {
      const { url, notes } = await serveNoting(createClient(upstream(() => value)));
      await fetch(url);
      expect(notes).toEqual([{ body }]);
    }
  });

  test("is given problems, with the error that they tell of", async () => {
    const error = new TimedOutError("total", 5);
    const { url, notes } = await serveNoting(createClient(upstream(() => Promise.reject(error))));
    await fetch(url);
    expect(notes).toEqual([{ code: "TIMED_OUT", error }]);
  });

  test("is told of a stream before its head goes out, once", async () => {
    const { url, notes } = await serveNoting(
      createClient(
        upstream(async function* () {
          yield 1;
          yield 2;
        }),
      ),
    );
    expect(await (await fetch(url)).text()).toBe("data: 1\n\ndata: 2\n\ndata: [DONE]\n\n");
    expect(notes).toEqual([{ headersSent: false }]);
  });
});

describe("what is no answer", () => {
  const closed = guard("limit", {
    name: "tenant",
    admit: () => ({ by: "tenant", code: "RATE_LIMITED", retryAfterMs: 2_500 }),
  });

  test("a refusal has its own status, also where a stream was asked for", async () => {
    const script = scriptedUpstream();
    const { url } = await serveClient(createClient(script.upstream, closed));
    const response = await fetch(url, { headers: { accept: "text/event-stream" } });
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("3");
    expect(response.headers.get("ratelimit")).toBe('"tenant";r=0;t=3');
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({ code: "RATE_LIMITED", status: 429, retryAfterMs: 2_500 });
    expect(script.calls).toBe(0);
  });

  test("a failure of the upstream is a bad gateway", async () => {
    const script = scriptedUpstream();
    const { url } = await serveClient(createClient(script.upstream));
    const response = fetch(url);
    (await script.next()).fail(new UpstreamError("SERVER_ERROR", "boom", { status: 500, retryable: true }));
    expect((await response).status).toBe(502);
  });

  test("an error of the user's is thrown as it is", async () => {
    const mine = new RangeError("mine");
    const { url, thrown } = await serveClient(
      createClient(
        upstream(() => {
          throw mine;
        }),
      ),
    );
    expect((await fetch(url)).status).toBe(599);
    expect(thrown).toEqual([mine]);
    expect(thrown[0]).toBe(mine);
  });

  test("a call that was given up on our side is answered while the browser is there", async () => {
    const script = scriptedUpstream();
    const ask = createClient(script.upstream);
    const { url } = await serveClient(ask);
    const response = fetch(url);
    const call = await script.next();
    const drained = ask.drain({ withinMs: 0 });
    expect((await response).status).toBe(503);
    expect((await (await response).json()) as object).toMatchObject({ code: "DRAINING" });
    call.answer("too late");
    await drained;
  });

  test("an answer that cannot be written as JSON goes to the framework", async () => {
    const { url, thrown } = await serveClient(createClient(upstream(() => 1n)));
    expect((await fetch(url)).status).toBe(599);
    expect(thrown[0]).toBeInstanceOf(TypeError);
  });
});

describe("a stream", () => {
  test("is sent as it comes, and says that it is complete", async () => {
    const script = scriptedUpstream<string, AsyncIterable<string>>();
    const { url } = await serveClient(createClient(script.upstream));
    const browser = visit(url);
    const stream = (await script.next()).stream("one");
    expect(await browser.read()).toBe('data: "one"\n\n');
    expect((await browser.response).headers).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
      "x-breakwater-attempts": "1",
    });
    stream.push("two\n\nlines");
    expect(await browser.read()).toBe('data: "two\\n\\nlines"\n\n');
    stream.end();
    expect(await browser.read()).toBe("data: [DONE]\n\n");
  });

  test("without items is complete, too", async () => {
    const { url } = await serveClient(createClient(upstream(async function* () {})));
    const response = await fetch(url);
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    expect(await response.text()).toBe("data: [DONE]\n\n");
  });

  test("items can be rendered and left out", async () => {
    const numbers = createClient(
      upstream(async function* () {
        yield* [1, 2, 3];
      }),
    );
    const { url } = await serveClient(numbers, { render: (n) => (n === 2 ? undefined : { n }) });
    expect(await (await fetch(url)).text()).toBe('data: {"n":1}\n\ndata: {"n":3}\n\ndata: [DONE]\n\n');
  });

  test("that fails before its first item has a status of its own", async () => {
    const { listen } = listener((_, res) =>
      sendEvents(
        res,
        // oxlint-disable-next-line require-yield -- that is the case
        (async function* () {
          throw new TimedOutError("firstToken", 5);
        })(),
      ).catch((error: unknown) => {
        res.statusCode = TimedOutError.isInstance(error) ? 504 : 500;
        res.end();
      }),
    );
    const { url } = await serve(listen);
    expect((await fetch(url)).status).toBe(504);
  });

  test.each([
    [new UpstreamError("STREAM_TRUNCATED", "sk-secret", { retryable: true }), "STREAM_TRUNCATED"],
    [new Error("sk-secret"), "STREAM_FAILED"],
  ])("that breaks in the middle ends with an error event, and never with [DONE]: %s", async (error, code) => {
    const script = scriptedUpstream();
    const { url, thrown } = await serveClient(createClient(script.upstream));
    const response = fetch(url);
    const stream = (await script.next()).stream("one");
    stream.push("two");
    stream.fail(error);
    const text = await (await response).text();
    expect(text).toMatch(/^data: "one"\n\ndata: "two"\n\nevent: error\ndata: \{.*\}\n\n$/);
    expect(text).not.toMatch(/\[DONE\]|sk-secret/);
    expect(JSON.parse(text.slice(text.lastIndexOf("data: ") + 6))).toMatchObject({
      error: { code, message: /./ },
    });
    expect(thrown).toEqual([]);
  });

  test("that is given up on our side says that, and not that something went wrong", async () => {
    const script = scriptedUpstream();
    const ask = createClient(script.upstream);
    const ours = new AbortController();
    const outcome = (text: string) => ask.outcome(text, { signal: ours.signal });
    const { url, thrown } = await serveClient({ outcome });
    const response = fetch(url);
    const stream = (await script.next()).stream("one");
    await response;
    ours.abort(new Error("sk-secret"));
    const text = await (await response).text();
    expect(text).toMatch(/^data: "one"\n\nevent: error\ndata: (?!.*secret).*"code":"CANCELLED".*\n\n$/);
    expect([stream.stopped, thrown]).toEqual([true, []]);
  });

  test("has a length of its own, whatever was to be said before", async () => {
    const script = scriptedUpstream();
    const { listen } = listener((_, res) => {
      res.setHeader("content-length", "3");
      return sendOutcome(res, createClient(script.upstream).outcome("x"));
    });
    const { url } = await serve(listen);
    const response = fetch(url);
    (await script.next()).stream("one").end();
    expect(await (await response).text()).toBe('data: "one"\n\ndata: [DONE]\n\n');
  });

  test("is stopped at once when the browser leaves, although its upstream is silent", async () => {
    const script = scriptedUpstream();
    const counter = permits();
    const ask = createClient(script.upstream, counter);
    const { url, thrown } = await serveClient(ask);
    const browser = visit(url);
    const stream = (await script.next()).stream("one");
    await browser.read();
    expect(counter.held).toBe(1);
    browser.leave();
    await until(() => counter.held === 0);
    expect(stream.stopped).toBe(true);
    expect(ask.snapshot().inFlight).toBe(0);
    expect(thrown).toEqual([]);
  });

  test("a browser that leaves before the first item gives its permit back, too", async () => {
    const script = scriptedUpstream();
    const counter = permits();
    const { url } = await serveClient(createClient(script.upstream, counter));
    const browser = visit(url);
    const call = await script.next();
    browser.leave();
    await until(() => call.call.aborted);
    call.answer("too late");
    await until(() => counter.held === 0);
  });

  test("does not run ahead of a browser that reads slowly", async () => {
    let made = 0;
    const ask = createClient(
      upstream(async function* () {
        for (; made < 2_000; made++) yield "x".repeat(16_384);
      }),
    );
    const { url } = await serveClient(ask);
    const browser = visit(url);
    const response = await browser.response;
    let before = -1;
    // The sockets' buffers fill up, and then it stands still.
    while (before !== made) {
      before = made;
      for (let i = 0; i < 100; i++) await turn();
    }
    expect(made).toBeLessThan(2_000);
    let size = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) size += chunk.length;
    expect(size).toBeGreaterThan(2_000 * 16_384);
    expect(made).toBe(2_000);
  });

  test("a source that ignores its return() does not keep the response", async () => {
    let returned = 0;
    const deaf: AsyncIterableIterator<string> = {
      next: () => (returned++ === 0 ? Promise.resolve({ done: false, value: "one" }) : new Promise(() => {})),
      return: () => Promise.reject(new Error("deaf")),
      [Symbol.asyncIterator]: () => deaf,
    };
    const results: boolean[] = [];
    const { listen } = listener(async (_, res) => results.push(await sendEvents(res, deaf)));
    const { url } = await serve(listen);
    const browser = visit(url);
    await browser.read();
    browser.leave();
    await until(() => results.length === 1);
    expect(results).toEqual([false]);
  });
});

describe("keep-alives", () => {
  test("are sent while nothing else is, and make a stream of what follows", async () => {
    const runtime = createTestClock();
    const script = scriptedUpstream();
    const { url } = await serveClient(createClient(script.upstream), { keepAlive: "15s", runtime });
    const browser = visit(url);
    const call = await script.next();
    await runtime.advance(15_000);
    expect(await browser.read()).toBe(": keep-alive\n\n");
    expect((await browser.response).headers["content-type"]).toContain("text/event-stream");
    await runtime.advance(15_000);
    expect(await browser.read()).toBe(": keep-alive\n\n");
    const stream = call.stream("one");
    expect(await browser.read()).toBe('data: "one"\n\n');
    // Something was sent in this period, so the next one is the first that is quiet.
    await runtime.advance(15_000);
    stream.push("two");
    expect(await browser.read()).toBe('data: "two"\n\n');
    stream.end();
    expect(await browser.read()).toBe("data: [DONE]\n\n");
    await until(() => runtime.pending === 0);
  });

  test("a refusal after them is told inside the stream", async () => {
    const runtime = createTestClock();
    const script = scriptedUpstream();
    const { url } = await serveClient(createClient(script.upstream), { keepAlive: 1_000, runtime });
    const browser = visit(url);
    const call = await script.next();
    await runtime.advance(1_000);
    await browser.read();
    call.fail(new UpstreamError("SERVER_ERROR", "boom", { status: 500, retryable: true }));
    expect(await browser.read()).toMatch(/^event: error\ndata: .*"code":"SERVER_ERROR"/);
  });

  test("a JSON answer after them is the one event of the stream", async () => {
    const runtime = createTestClock();
    const script = scriptedUpstream();
    const { url } = await serveClient(createClient(script.upstream), { keepAlive: 1_000, runtime });
    const response = fetch(url);
    const call = await script.next();
    await runtime.advance(1_000);
    call.answer("late");
    expect(await (await response).text()).toBe(': keep-alive\n\ndata: "late"\n\ndata: [DONE]\n\n');
  });
});
