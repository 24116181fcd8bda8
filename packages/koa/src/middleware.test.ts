import {
  bulkhead,
  ConfigError,
  createClient,
  currentContext,
  guard,
  type Policy,
  rateLimit,
  retry,
  upstream,
  UpstreamError,
} from "@breakwater/core";
import { scriptedUpstream } from "@breakwater/testing";
import { bodyParser } from "@koa/bodyparser";
import { Router } from "@koa/router";
import { describe, expect, test } from "vitest";

import { breakwater, errors, inbound, respond } from "./index.ts";
import { visit, post, serve, until, versions } from "./server.test-help.ts";

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

describe.each(versions)("%s", (_, Koa) => {
  describe("breakwater", () => {
    test.each(["before", "after"])("opens the context %s a body parser", async (order) => {
      const app = new Koa();
      const open = breakwater({ tenant: (ctx) => ctx.get("x-team"), deadline: "1m" });
      if (order === "before") app.use(open).use(bodyParser());
      else app.use(bodyParser()).use(open);
      app.use((ctx) => {
        const { tenant, callId, deadlineAt } = currentContext() ?? {};
        expect(ctx.callContext).toBe(currentContext());
        ctx.body = { tenant, callId, bounded: deadlineAt !== undefined, body: ctx.request.body };
      });
      const { url } = await serve(app);
      const response = await fetch(url, post({ a: 1 }, { "x-team": "acme", "x-request-id": "r-1" }));
      expect(await response.json()).toEqual({ tenant: "acme", callId: "r-1", bounded: true, body: { a: 1 } });
      expect(response.headers.get("x-breakwater-call-id")).toBe("r-1");
    });

    test("its options are given what middleware in front has found out", async () => {
      const app = new Koa().use((ctx, next) => {
        ctx.state["user"] = { team: "search" };
        return next();
      });
      app.use(breakwater({ tenant: (ctx) => ctx.state["user"]?.team, priority: () => "batch" }));
      app.use((ctx) => void (ctx.body = ctx.callContext));
      const { url } = await serve(app);
      expect(await (await fetch(url)).json()).toMatchObject({ tenant: "search", priority: "batch" });
    });

    test("opened again, it adds to what is known", async () => {
      const app = new Koa().use(breakwater({ tenant: () => "acme" }));
      app.use(breakwater({ callId: () => "mine" }));
      app.use((ctx) => void (ctx.body = ctx.callContext));
      const { url } = await serve(app);
      expect(await (await fetch(url)).json()).toMatchObject({ tenant: "acme", callId: "mine" });
    });

    test("what its callbacks throw goes Koa's usual way", async () => {
      const mine = new Error("no session");
      const app = new Koa().use(errors()).use(
        breakwater({
          tenant: () => {
            throw mine;
          },
        }),
      );
      const { url, told } = await serve(app);
      expect((await fetch(url)).status).toBe(500);
      expect(told).toEqual([mine]);
    });

    test("a call deep inside is cancelled when the browser leaves, however it is made", async () => {
      const script = scriptedUpstream();
      const ask = createClient(script.upstream);
      const app = new Koa().use(errors()).use(breakwater());
      app.use(async (ctx) => void (ctx.body = await ask("hello")));
      const { url, told } = await serve(app);
      const browser = visit(url);
      const { call, answer: late } = await script.next();
      browser.leave();
      await until(() => call.aborted);
      late("nobody reads this");
      await until(() => ask.snapshot().inFlight === 0);
      expect(told).toEqual([]);
    });

    test("a page that is not there is not there", async () => {
      const { url, told } = await serve(new Koa().use(errors()).use(breakwater()));
      const response = await fetch(url);
      expect(response.status).toBe(404);
      expect(await response.text()).toBe("Not Found");
      expect(told).toEqual([]);
    });
  });

  describe("respond", () => {
    const greet = createClient(upstream(async (name: string) => ({ text: `hello ${name}` })));

    test("answers JSON, in a router", async () => {
      const router = new Router();
      router.get(
        "/greet/:name",
        respond(greet, (ctx) => String(ctx["params"].name)),
      );
      const { url } = await serve(new Koa().use(router.routes()));
      const response = await fetch(`${url}/greet/ada`);
      expect(response.status).toBe(200);
      expect(response.headers.get("x-breakwater-attempts")).toBe("1");
      expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
      expect(await response.json()).toEqual({ text: "hello ada" });
    });

    test.each([
      ["a text", "hello", '"hello"'],
      ["a number", 0, "0"],
      ["nothing", undefined, "null"],
      ["false", false, "false"],
      ["a list", [1, "a"], '[1,"a"]'],
      ["bytes", new Uint8Array([1]), '{"0":1}'],
    ])("answers %s as JSON, too", async (__, value, json) => {
      const { url } = await serve(
        new Koa().use(
          respond(createClient(upstream(() => value as unknown)), () => 1, { render: (item) => item }),
        ),
      );
      const response = await fetch(url);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
      expect(await response.text()).toBe(json);
    });

    test("middleware around it sees the answer, and may change it", async () => {
      const app = new Koa().use(async (ctx, next) => {
        await next();
        ctx.set("x-status", String(ctx.status));
        ctx.body = { wrapped: ctx.body };
      });
      app.use((ctx, next) => {
        ctx.status = 201;
        return next();
      });
      const { url } = await serve(app.use(respond(greet, () => "ada")));
      const response = await fetch(url);
      expect(response.status).toBe(201);
      expect(response.headers.get("x-status")).toBe("201");
      expect(await response.json()).toEqual({ wrapped: { text: "hello ada" } });
    });

    test("a HEAD has the head of the answer, and keeps no permit for what nobody reads", async () => {
      const whole = await serve(new Koa().use(respond(greet, () => "ada")));
      const head = await fetch(whole.url, { method: "HEAD" });
      expect(head.headers.get("content-length")).toBe(String('{"text":"hello ada"}'.length));

      const script = scriptedUpstream();
      const counter = permits();
      const streamed = await serve(
        new Koa().use(respond(createClient(script.upstream, counter), () => "hello")),
      );
      const response = fetch(streamed.url, { method: "HEAD" });
      const stream = (await script.next()).stream("one");
      expect((await response).status).toBe(200);
      expect((await response).headers.get("content-type")).toContain("text/event-stream");
      await until(() => stream.stopped && counter.held === 0);
    });

    test("streams, and frees the permit when the browser leaves in the middle", async () => {
      const script = scriptedUpstream<{ text: string }, AsyncIterable<string>>();
      const ask = createClient(script.upstream, bulkhead({ name: "chat", concurrency: 1 }));
      const app = new Koa().use(errors()).use(breakwater()).use(bodyParser());
      app.use(respond(ask, (ctx) => ctx.request.body as { text: string }));
      const { url, told } = await serve(app);
      const say = (text: string) =>
        post({ text }) as { method: string; headers: Record<string, string>; body: string };
      const browser = visit(url, say("one"));
      const call = await script.next();
      expect(call.request).toEqual({ text: "one" });
      const stream = call.stream("token");
      expect(await browser.read()).toBe('data: "token"\n\n');
      const full = await fetch(url, say("two"));
      expect(full.status).toBe(503);
      expect(full.headers.get("retry-after")).toBe("1");
      expect(full.headers.get("content-type")).toBe("application/problem+json");
      browser.leave();
      await until(() => stream.stopped && ask.snapshot().inFlight === 0);
      const third = fetch(url, say("three"));
      const next = (await script.next()).stream("free");
      next.end();
      expect((await third).status).toBe(200);
      expect((await third).headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
      expect(await (await third).text()).toBe('data: "free"\n\ndata: [DONE]\n\n');
      expect(told).toEqual([]);
    });

    test("middleware around it goes on when a stream is over, and not before", async () => {
      const script = scriptedUpstream();
      const seen: string[] = [];
      const app = new Koa().use(async (ctx, next) => {
        try {
          await next();
        } finally {
          seen.push(`after ${ctx.status}`);
          ctx.set("x-too-late", "1");
        }
      });
      const { url, told } = await serve(
        app.use(respond(createClient(script.upstream), () => "x", { keepAlive: "10s" })),
      );
      for (const end of ["finished", "left"]) {
        const browser = visit(url);
        const stream = (await script.next()).stream("one");
        expect(await browser.read()).toBe('data: "one"\n\n');
        expect(seen).toEqual([]);
        if (end === "left") browser.leave();
        else stream.end();
        await until(() => seen.length === 1);
        expect(seen.pop()).toBe("after 200");
      }
      expect(told).toEqual([]);
    });

    test("a status that was set before is that of a stream", async () => {
      const app = new Koa().use((ctx, next) => {
        ctx.status = 202;
        return next();
      });
      const count = upstream(async function* () {
        yield 1;
      });
      const { url } = await serve(app.use(respond(createClient(count), () => 1)));
      expect((await fetch(url)).status).toBe(202);
    });

    test("works without breakwater() too: it opens the context itself", async () => {
      const script = scriptedUpstream();
      const app = new Koa().use(respond(createClient(script.upstream), () => "hello"));
      const { url } = await serve(app);
      const browser = visit(url);
      const { call } = await script.next();
      browser.leave();
      await until(() => call.aborted);
    });

    test.each(["in the queue of a guard", "in the call"])(
      "a deadline that passes %s is a 504",
      async (where) => {
        const script = scriptedUpstream();
        const one = bulkhead({ name: "one", concurrency: 1, queue: 1, maxWait: "1m" });
        const app = new Koa().use(breakwater());
        if (where !== "in the call") app.use(inbound(one));
        app.use(respond(createClient(script.upstream), () => "hello"));
        const { url, told } = await serve(app);
        const patient = where === "in the call" ? undefined : fetch(url);
        const first = patient === undefined ? undefined : await script.next();
        const hasty = await fetch(url, { headers: { "x-request-timeout": "20" } });
        expect(hasty.status).toBe(504);
        expect(await hasty.json()).toMatchObject({
          code: expect.stringMatching(/TIMED_OUT|DEADLINE_TOO_SHORT/) as string,
        });
        first?.answer("still there");
        expect(await patient?.then((response) => response.json())).toBe(
          first === undefined ? undefined : "still there",
        );
        expect(told).toEqual([]);
      },
    );

    test("an error that is not ours is thrown on as it is, once", async () => {
      const caught: unknown[] = [];
      const mine = new RangeError("mine");
      const ask = createClient(upstream(() => Promise.reject(mine)));
      const app = new Koa().use(async (ctx, next) => {
        try {
          await next();
        } catch (error) {
          caught.push(error);
          ctx.status = 418;
          ctx.body = "mine to answer";
        }
      });
      const { url, told } = await serve(app.use(errors()).use(respond(ask, () => 1)));
      const response = await fetch(url);
      expect(response.status).toBe(418);
      expect(await response.text()).toBe("mine to answer");
      expect(caught).toEqual([mine]);
      expect(caught[0]).toBe(mine);
      expect(told).toEqual([]);
    });

    test("an error in the middle of a stream is told inside it, and listeners hear of one that is not ours", async () => {
      const script = scriptedUpstream();
      const app = new Koa().use(errors()).use(respond(createClient(script.upstream), () => "x"));
      const { url, told } = await serve(app);
      const mine = new Error("secret");
      const reset = new UpstreamError("STREAM_TRUNCATED", "secret", { retryable: true });
      for (const error of [reset, mine]) {
        const response = fetch(url);
        const stream = (await script.next()).stream("one");
        await response;
        stream.fail(error);
        expect(await (await response).text()).toMatch(
          /^data: "one"\n\nevent: error\ndata: (?!.*secret).*STREAM_(FAILED|TRUNCATED).*\n\n$/,
        );
      }
      expect(told).toEqual([mine]);
    });

    test("a stream that is given up on our side is nobody's mistake", async () => {
      const script = scriptedUpstream();
      const ask = createClient(script.upstream);
      const ours = new AbortController();
      const outcome = (text: string) => ask.outcome(text, { signal: ours.signal });
      const { url, told } = await serve(new Koa().use(errors()).use(respond({ outcome }, () => "x")));
      const response = fetch(url);
      (await script.next()).stream("one");
      await response;
      ours.abort(new Error("enough"));
      expect(await (await response).text()).toContain('"code":"CANCELLED"');
      expect(told).toEqual([]);
    });

    test("a stream takes the place of a body that was there before", async () => {
      const app = new Koa().use((ctx, next) => {
        ctx.body = "none";
        return next();
      });
      const count = upstream(async function* () {
        yield 1;
      });
      const { url, told } = await serve(app.use(respond(createClient(count), () => 1)));
      expect(await (await fetch(url)).text()).toBe("data: 1\n\ndata: [DONE]\n\n");
      expect(told).toEqual([]);
    });

    test("what render throws is told in the same way", async () => {
      const mine = new RangeError("mine");
      const render = (n: number): number => {
        if (n === 2) throw mine;
        return n;
      };
      const count = upstream(async function* () {
        yield* [1, 2, 3];
      });
      const { url, told } = await serve(new Koa().use(respond(createClient(count), () => 1, { render })));
      expect(await (await fetch(url)).text()).toMatch(
        /^data: 1\n\nevent: error\ndata: .*STREAM_FAILED.*\n\n$/,
      );
      expect(told).toEqual([mine]);
    });

    describe("a bad request is a clear 4xx, and the server goes on", () => {
      async function chat() {
        const echo = createClient(upstream((text: string) => text));
        const app = new Koa()
          .use(errors())
          .use(breakwater())
          .use(bodyParser({ jsonLimit: "1kb" }));
        app.use(respond(echo, (ctx) => (ctx.request.body as { text: string }).text.trim()));
        const { url, told } = await serve(app);
        const send = async (init: RequestInit) => {
          const response = await fetch(url, init);
          return { status: response.status, body: await response.json() };
        };
        return { send, told, good: () => send(post({ text: " hello " })) };
      }

      test.each<[string, RequestInit, number, string]>([
        ["malformed JSON", post("{oops"), 400, "MALFORMED_BODY"],
        ["JSON that is no object", post('"hello"'), 400, "MALFORMED_BODY"],
        ["a body that is too large", post({ text: "x".repeat(2_000) }), 413, "ENTITY_TOO_LARGE"],
        [
          "another content type",
          post("hello", { "content-type": "text/plain" }),
          415,
          "UNSUPPORTED_MEDIA_TYPE",
        ],
        ["no body", { method: "POST" }, 400, "BODY_MISSING"],
      ])("%s", async (__, init, status, code) => {
        const { send, good, told } = await chat();
        expect(await send(init)).toMatchObject({ status, body: { status, code } });
        expect(await good()).toEqual({ status: 200, body: "hello" });
        expect(told).toEqual([]);
      });

      test("a body that lacks what the route needs is the application's to judge", async () => {
        const app = new Koa().use(errors()).use(bodyParser());
        const ask = createClient(upstream((text: string) => text));
        app.use(respond(ask, (ctx) => (ctx.request.body as { text: string }).text.trim()));
        const { url, told } = await serve(app);
        expect((await fetch(url, post({}))).status).toBe(500);
        expect(told[0]).toBeInstanceOf(TypeError);
      });
    });
  });

  describe("inbound", () => {
    test("refuses as a guard says, by what Koa knows of the request", async () => {
      const limit = guard("limit", {
        name: "by-address",
        admit: (call) =>
          call.request.ip === "127.0.0.1" && call.request.query.flood === "1"
            ? { by: "by-address", code: "RATE_LIMITED", retryAfterMs: 1_500 }
            : undefined,
      });
      const seen: [number, unknown][] = [];
      const app = new Koa().use(async (ctx, next) => {
        await next();
        seen.push([ctx.status, ctx.body]);
      });
      app.use(inbound(limit)).use((ctx) => void (ctx.body = "in"));
      const { url, told } = await serve(app);
      expect(await (await fetch(url)).text()).toBe("in");
      const refused = await fetch(`${url}/?flood=1`);
      expect(refused.status).toBe(429);
      expect(refused.statusText).toBe("Too Many Requests");
      expect(refused.headers.get("ratelimit")).toBe('"by-address";r=0;t=2');
      expect(refused.headers.get("content-type")).toBe("application/problem+json");
      expect(await refused.json()).toMatchObject({ code: "RATE_LIMITED", status: 429 });
      expect(seen).toMatchObject([
        [200, "in"],
        [429, { code: "RATE_LIMITED" }],
      ]);
      expect(told).toEqual([]);
    });

    test("the key of a rate limit is given the context, with whom middleware in front has found", async () => {
      const limits = { requests: { limit: 1, per: "1h" } } as const;
      const app = new Koa().use(async (ctx, next) => {
        ctx.state["team"] = ctx.get("x-team");
        await next();
      });
      app.use(inbound(rateLimit({ name: "team", limits, key: (ctx) => ctx.state.team as string })));
      const { url } = await serve(app.use((ctx) => void (ctx.body = "in")));
      const status = async (team: string): Promise<number> =>
        (await fetch(url, { headers: { "x-team": team } })).status;
      expect([await status("a"), await status("a"), await status("b")]).toEqual([200, 429, 200]);
    });

    test("holds a permit until the response closes, whether it was finished or left", async () => {
      const finish: (() => void)[] = [];
      const app = new Koa().use(inbound(bulkhead({ name: "in", concurrency: 1 })));
      app.use(async (ctx) => {
        await new Promise<void>((resolve) => finish.push(resolve));
        ctx.body = "out";
      });
      const { url, told } = await serve(app);
      for (const end of ["finished", "left"]) {
        const at = finish.length;
        const browser = visit(url);
        await until(() => finish.length === at + 1);
        expect((await fetch(url)).status).toBe(503);
        if (end === "left") browser.leave();
        else finish[at]?.();
        if (end === "finished") expect(await browser.read()).toBe("out");
        // Closing is told to the server a moment later than to its browser.
        for (let status = 503; status === 503;) {
          const next = fetch(url);
          await Promise.race([next, until(() => finish.length > at + 1)]);
          finish[at + 1]?.();
          ({ status } = await next);
        }
        // Koa answers nobody, too, and nothing comes of it.
        finish[at]?.();
      }
      expect(told).toEqual([]);
    });

    test("what is thrown behind it goes the usual way", async () => {
      const mine = new Error("mine");
      const app = new Koa().use(inbound(bulkhead({ name: "in", concurrency: 1 })));
      app.use(() => {
        throw mine;
      });
      const { url, told } = await serve(app);
      expect((await fetch(url)).status).toBe(500);
      expect(told).toEqual([mine]);
      expect((await fetch(url)).status).toBe(500);
    });

    test("refuses what cannot guard", () => {
      expect(() => inbound(retry())).toThrow("inbound: retry does not admit requests");
    });
  });

  test.each([
    ["breakwater", () => breakwater({ deadline: Number.NaN })],
    [
      "respond",
      () => respond(createClient(upstream(async () => 1)), () => 1, { keepAlive: "soon" as never }),
    ],
  ])("%s refuses options that make no sense when it is made", (name, make) => {
    expect(make).toThrow(`${name}: `);
    expect(make).toThrow(ConfigError);
  });
});
