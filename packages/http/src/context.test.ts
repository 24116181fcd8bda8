import { Agent, get, IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";

import { type CallContext, createClient, currentContext, RefusedError, upstream } from "@breakwater/core";
import { createTestClock, scriptedUpstream } from "@breakwater/testing";
import { describe, expect, test } from "vitest";

import { ClientGoneError } from "./client-gone.ts";
import { type ContextOptions, detach, extendContext, extendContextOf, openContext } from "./context.ts";
import { sendOutcome } from "./send.ts";
import { visit, listener, serve, turn, until } from "./server.test-help.ts";

const CARRIER = Symbol.for("breakwater.call-context");

describe("the call context", () => {
  test("exists once somebody uses it, not at import", async () => {
    expect(CARRIER in globalThis).toBe(false);
    await seen({});
    expect(CARRIER in globalThis).toBe(true);
  });

  /** What a client deep inside sees of a request. */
  async function seen(options: ContextOptions, headers: Record<string, string> = {}): Promise<CallContext> {
    let context: CallContext | undefined;
    const { listen } = listener((req, res) =>
      openContext(req, res, options, async () => {
        await turn();
        context = currentContext();
        res.end();
      }),
    );
    const { url } = await serve(listen);
    const response = await fetch(url, { headers });
    await response.text();
    expect(response.headers.get("x-breakwater-call-id")).toBe(context?.callId);
    return context as CallContext;
  }

  test("takes an inbound x-request-id that is harmless", async () => {
    expect((await seen({}, { "x-request-id": "req-42:a" })).callId).toBe("req-42:a");
  });

  test.each(["", "x".repeat(129), "a b", "<script>", 'a"b', "a,b"])(
    "makes an id instead of %j",
    async (id) => {
      expect((await seen({}, { "x-request-id": id })).callId).toMatch(/^[0-9a-f-]{36}$/);
    },
  );

  test("prefers what the application says", async () => {
    const context = await seen(
      { callId: () => "mine", tenant: (req) => req.headers.authorization, priority: () => "batch" },
      { "x-request-id": "theirs", authorization: "acme" },
    );
    expect(context).toMatchObject({ callId: "mine", tenant: "acme", priority: "batch" });
  });

  test("is told by what a framework makes of a request, where an adapter says so", () => {
    const req = new IncomingMessage(new Socket());
    const source = { user: "ada", team: "acme" };
    const options: ContextOptions<typeof source> = {
      tenant: ({ team }) => team,
      priority: () => "batch",
      callId: ({ user }) => user,
    };
    const context = openContext(req, new ServerResponse(req), options, (opened) => opened, source);
    expect(context).toMatchObject({ tenant: "acme", priority: "batch", callId: "ada" });
    expect(context.signal.aborted).toBe(false);
  });

  test("a tenant without a name is no tenant", async () => {
    expect((await seen({ tenant: () => "" })).tenant).toBeUndefined();
  });

  test.each([
    ["the header can shorten the deadline", "2s", "500", 500],
    ["the header cannot extend it", "2s", "5000", 2_000],
    ["the header alone is a deadline", undefined, "700", 700],
    ["a header that is no number of milliseconds is none", "2s", "soon", 2_000],
    ["zero is no deadline that could be met, so it is none", undefined, "0", undefined],
  ] as const)("%s", async (_, deadline, sent, expected) => {
    const runtime = createTestClock();
    const options = { runtime, ...(deadline !== undefined && { deadline }) };
    const { deadlineAt } = await seen(options, { "x-request-timeout": sent });
    expect(deadlineAt).toBe(expected === undefined ? undefined : runtime.wallNow() + expected);
  });

  test("opened again, it knows more and forgets nothing", async () => {
    let inner: CallContext | undefined;
    const { url } = await serve((req, res) =>
      openContext(req, res, { tenant: () => "acme" }, (outer) =>
        // As from a callback that has lost the asynchronous context.
        setImmediate(() =>
          openContext(req, res, { priority: () => "batch" }, (context) => {
            inner = context;
            expect(context.signal).toBe(outer.signal);
            expect(context.callId).toBe(outer.callId);
            res.end();
          }),
        ),
      ),
    );
    await fetch(url);
    expect(inner).toMatchObject({ tenant: "acme", priority: "batch" });
  });

  test("contexts of requests that run at the same time are kept apart", async () => {
    const { listen } = listener((req, res) =>
      openContext(req, res, { tenant: (r) => r.url?.slice(1) }, async () => {
        for (let i = 0; i < 5; i++) await turn();
        res.end(currentContext()?.tenant);
      }),
    );
    const { url } = await serve(listen);
    const names = Array.from({ length: 20 }, (_, i) => `tenant-${i}`);
    const answers = await Promise.all(names.map(async (name) => (await fetch(`${url}/${name}`)).text()));
    expect(answers).toEqual(names);
  });
});

describe("the signal", () => {
  async function signalOf(respond: (end: () => void) => void, method = "GET") {
    let signal: AbortSignal | undefined;
    const { url, server } = await serve((req, res) =>
      openContext(req, res, {}, (context) => {
        signal = context.signal;
        respond(() => res.end("done"));
      }),
    );
    return { url, server, method, signal: () => signal };
  }

  test("fires when the browser leaves, and calls made inside are cancelled", async () => {
    const script = scriptedUpstream();
    const ask = createClient(script.upstream);
    const outcomes: string[] = [];
    const { listen } = listener((req, res) =>
      openContext(req, res, {}, async () => outcomes.push((await ask.outcome("hello")).status)),
    );
    const { url } = await serve(listen);
    const browser = visit(url);
    const { call } = await script.next();
    browser.leave();
    await until(() => outcomes.length > 0);
    expect(outcomes).toEqual(["cancelled"]);
    expect(call.reason).toBeInstanceOf(ClientGoneError);
  });

  test("does not fire after an answer, although the response closes then, too", async () => {
    const { url, signal, server } = await signalOf((end) => end());
    await (await fetch(url)).text();
    server.closeAllConnections();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    expect(signal()?.aborted).toBe(false);
  });

  test("leaves no listener behind on a connection that is kept", async () => {
    const counts = new Set<number>();
    const { listen } = listener((req, res) => {
      counts.add(req.socket.eventNames().reduce((sum, name) => sum + req.socket.listenerCount(name), 0));
      return openContext(req, res, {}, () => sendOutcome(res, createClient(upstream(() => 1)).outcome("x")));
    });
    const { url } = await serve(listen);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    for (let i = 0; i < 50; i++) {
      await new Promise<void>((resolve) => {
        get(url, { agent }, (response) => {
          ports.add(response.socket.localPort);
          response.resume().once("end", resolve);
        });
      });
    }
    agent.destroy();
    expect(ports.size).toBe(1);
    expect(counts.size).toBe(1);
  });

  test("fires when the browser leaves in the middle of its own request", async () => {
    const { url, signal } = await signalOf(() => {});
    const browser = visit(url, {
      method: "POST",
      headers: { "content-length": "100" },
      body: "half of ",
      unfinished: true,
    });
    await until(() => signal() !== undefined);
    browser.leave();
    await until(() => signal()?.aborted === true);
    expect(signal()?.reason).toMatchObject({ name: "AbortError", code: "CLIENT_GONE" });
  });

  test("has fired already when the context is opened for a browser that is gone", async () => {
    let signal: AbortSignal | undefined;
    let arrived = false;
    const { url } = await serve((req, res) => {
      arrived = true;
      res.once("close", () =>
        setImmediate(() => openContext(req, res, {}, (context) => (signal = context.signal))),
      );
    });
    const browser = visit(url);
    await until(() => arrived);
    browser.leave();
    await until(() => signal !== undefined);
    expect(signal?.aborted).toBe(true);
  });
});

describe("detach", () => {
  test("work in the background goes on when the browser leaves, under the same tenant and id", async () => {
    const script = scriptedUpstream();
    const ask = createClient(script.upstream);
    const answers: unknown[] = [];
    const options: ContextOptions = { tenant: () => "acme", callId: () => "id", deadline: "1h" };
    const { url } = await serve((req, res) =>
      openContext(req, res, options, () => {
        void detach(() => ask("summary")).then((answer) => answers.push(answer));
        ask("now").catch((error: unknown) => answers.push(error));
      }),
    );
    const browser = visit(url);
    const background = await script.next();
    const foreground = await script.next();
    expect(background.call).toMatchObject({ tenant: "acme", id: "id", deadline: Infinity });
    expect(foreground.call.deadline).toBeLessThan(Infinity);
    browser.leave();
    await until(() => answers.length === 1);
    expect(answers[0]).toBeInstanceOf(ClientGoneError);
    expect(background.call.aborted).toBe(false);
    background.answer("done");
    await until(() => answers.length === 2);
    expect(answers[1]).toBe("done");
  });

  test("outside of a request it only runs", () => {
    expect(detach(() => 42)).toBe(42);
    expect(RefusedError.isInstance(detach(() => undefined))).toBe(false);
  });
});

test("an attempt's signal takes the place of the request's, for what is called in it", () => {
  const { signal } = new AbortController();
  const req = new IncomingMessage(new Socket());
  openContext(req, new ServerResponse(req), { tenant: () => "team" }, (context) => {
    extendContext({ signal }, () => {
      expect(currentContext()).toEqual({ ...context, signal });
    });
    expect(currentContext()).toBe(context);
  });
});

describe("the steps of an iterable", () => {
  test("run in the context that they are given, also the one that leaves", async () => {
    const tenants: unknown[] = [];
    async function* count(): AsyncGenerator<number> {
      try {
        tenants.push(currentContext()?.tenant);
        yield 1;
        tenants.push(currentContext()?.tenant);
        yield 2;
      } finally {
        tenants.push(currentContext()?.tenant);
      }
    }
    for await (const n of extendContextOf({ tenant: "acme" }, count())) {
      expect(currentContext()?.tenant).toBeUndefined();
      if (n === 2) break;
    }
    expect(tenants).toEqual(["acme", "acme", "acme"]);
  });

  test("may lack one that leaves", async () => {
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({ next: async () => ({ done: false, value: 1 }) }),
    };
    const iterator = extendContextOf({}, source)[Symbol.asyncIterator]();
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined });
  });
});
