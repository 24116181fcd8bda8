import {
  bulkhead,
  ConfigError,
  createClient,
  currentContext,
  guard,
  RefusedError,
  retry,
  upstream,
} from "@breakwater/core";
import { scriptedUpstream } from "@breakwater/testing";
import type { ErrorRequestHandler, Response } from "express";
import { describe, expect, test } from "vitest";

import { breakwater, errors, inbound, respond } from "./index.ts";
import { visit, post, serve, until, versions } from "./server.test-help.ts";

const answer = (seen: unknown[]): ErrorRequestHandler => {
  return (error, _req, res, _next) => {
    seen.push(error);
    res.status(599).end();
  };
};

describe.each(versions)("%s", (_, express) => {
  describe("breakwater", () => {
    test.each(["before", "after"])("opens the context %s a body parser", async (order) => {
      const app = express();
      const open = breakwater({ tenant: (req) => req.get("x-team"), deadline: "1m" });
      const parse = express.json();
      if (order === "before") app.use(open, parse);
      else app.use(parse, open);
      app.post("/", (req, res) => {
        const { tenant, callId, deadlineAt } = currentContext() ?? {};
        res.json({ tenant, callId, bounded: deadlineAt !== undefined, body: req.body as unknown });
      });
      const { url } = await serve(app);
      const response = await fetch(url, post({ a: 1 }, { "x-team": "acme", "x-request-id": "r-1" }));
      expect(await response.json()).toEqual({ tenant: "acme", callId: "r-1", bounded: true, body: { a: 1 } });
      expect(response.headers.get("x-breakwater-call-id")).toBe("r-1");
    });

    test("what its callbacks throw goes to the error middleware", async () => {
      const mine = new Error("no session");
      const seen: unknown[] = [];
      const app = express().use(
        breakwater({
          tenant: () => {
            throw mine;
          },
        }),
      );
      const { url } = await serve(app.use(answer(seen)));
      expect((await fetch(url)).status).toBe(599);
      expect(seen).toEqual([mine]);
    });

    test("a call deep inside is cancelled when the browser leaves, however it is made", async () => {
      const script = scriptedUpstream();
      const ask = createClient(script.upstream);
      const app = express().use(breakwater());
      app.get("/", (_req, res, next) => {
        ask("hello").then((text) => res.send(text), next);
      });
      const { url } = await serve(app.use(errors()));
      const browser = visit(url);
      const { call, answer: late } = await script.next();
      browser.leave();
      await until(() => call.aborted);
      late("nobody reads this");
      await until(() => ask.snapshot().inFlight === 0);
    });
  });

  describe("respond", () => {
    test("answers JSON", async () => {
      const greet = createClient(upstream(async (name: string) => ({ text: `hello ${name}` })));
      const app = express().get(
        "/greet/:name",
        respond(greet, (req) => req.params["name"] as string),
      );
      const { url } = await serve(app);
      const response = await fetch(`${url}/greet/ada`);
      expect(response.headers.get("x-breakwater-attempts")).toBe("1");
      expect(await response.json()).toEqual({ text: "hello ada" });
    });

    test("streams, and frees the permit when the browser leaves in the middle", async () => {
      const script = scriptedUpstream<{ text: string }, AsyncIterable<string>>();
      const ask = createClient(script.upstream, bulkhead({ name: "chat", concurrency: 1 }));
      const app = express().use(breakwater(), express.json());
      app.post(
        "/chat",
        respond(ask, ({ body }) => body as { text: string }),
      );
      const { url } = await serve(app);
      const say = (text: string) =>
        post({ text }) as { method: string; headers: Record<string, string>; body: string };
      const browser = visit(`${url}/chat`, say("one"));
      const call = await script.next();
      expect(call.request).toEqual({ text: "one" });
      const stream = call.stream("token");
      expect(await browser.read()).toBe('data: "token"\n\n');
      const full = await fetch(`${url}/chat`, say("two"));
      expect(full.status).toBe(503);
      expect(full.headers.get("retry-after")).toBe("1");
      browser.leave();
      await until(() => stream.stopped && ask.snapshot().inFlight === 0);
      const third = fetch(`${url}/chat`, say("three"));
      const next = (await script.next()).stream("free");
      next.end();
      expect(await (await third).text()).toBe('data: "free"\n\ndata: [DONE]\n\n');
    });

    test("works without breakwater() too: it opens the context itself", async () => {
      const script = scriptedUpstream();
      const app = express().get(
        "/",
        respond(createClient(script.upstream), () => "hello"),
      );
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
        const app = express().use(breakwater(), where === "in the call" ? [] : inbound(one));
        app.get(
          "/",
          respond(createClient(script.upstream), () => "hello"),
        );
        const { url } = await serve(app);
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
      },
    );

    test("an error that is not ours reaches the error middleware as it is, once", async () => {
      const seen: unknown[] = [];
      const mine = new RangeError("mine");
      const ask = createClient(upstream(() => Promise.reject(mine)));
      const app = express().get(
        "/",
        respond(ask, () => 1),
        errors(),
        answer(seen),
      );
      const { url } = await serve(app);
      expect((await fetch(url)).status).toBe(599);
      expect(seen).toEqual([mine]);
      expect(seen[0]).toBe(mine);
    });

    test("an error in the middle of a stream is told inside it, and reaches no middleware that would write again", async () => {
      const seen: unknown[] = [];
      const script = scriptedUpstream();
      const app = express().get(
        "/",
        respond(createClient(script.upstream), () => "x"),
        errors(),
        answer(seen),
      );
      const { url } = await serve(app);
      const response = fetch(url);
      const stream = (await script.next()).stream("one");
      await response;
      stream.fail(new Error("secret"));
      expect(await (await response).text()).toMatch(
        /^data: "one"\n\nevent: error\ndata: .*STREAM_FAILED.*\n\n$/,
      );
      expect(seen).toEqual([]);
    });

    describe("a bad request is a clear 4xx, and the server goes on", () => {
      async function chat() {
        const echo = createClient(upstream((text: string) => text));
        const app = express().use(breakwater(), express.json({ limit: "1kb" }));
        app.post(
          "/",
          respond(echo, (req) => (req.body as { text: string }).text.trim()),
        );
        const { url } = await serve(app.use(errors()));
        const send = async (init: RequestInit) => {
          const response = await fetch(url, init);
          return { status: response.status, body: await response.json() };
        };
        return { send, good: () => send(post({ text: " hello " })) };
      }

      test.each<[string, RequestInit, number, string]>([
        ["malformed JSON", post("{oops"), 400, "MALFORMED_BODY"],
        ["a body that is too large", post({ text: "x".repeat(2_000) }), 413, "ENTITY_TOO_LARGE"],
        [
          "another content type",
          post("hello", { "content-type": "text/plain" }),
          415,
          "UNSUPPORTED_MEDIA_TYPE",
        ],
        [
          "an odd charset",
          post("{}", { "content-type": "application/json; charset=x" }),
          415,
          "CHARSET_UNSUPPORTED",
        ],
        ["no body", { method: "POST" }, 400, "BODY_MISSING"],
      ])("%s", async (__, init, status, code) => {
        const { send, good } = await chat();
        expect(await send(init)).toMatchObject({ status, body: { status, code } });
        expect(await good()).toEqual({ status: 200, body: "hello" });
      });

      test("a body that lacks what the route needs is the application's to judge", async () => {
        const seen: unknown[] = [];
        const app = express().use(express.json());
        const ask = createClient(upstream((text: string) => text));
        app.post(
          "/",
          respond(ask, (req) => (req.body as { text: string }).text.trim()),
          errors(),
          answer(seen),
        );
        const { url } = await serve(app);
        expect((await fetch(url, post({}))).status).toBe(599);
        expect(seen[0]).toBeInstanceOf(TypeError);
      });
    });
  });

  describe("inbound", () => {
    test("refuses as a guard says, by the request", async () => {
      const limit = guard("limit", {
        name: "by-address",
        admit: (call) =>
          call.request.ip === "127.0.0.1" && call.request.query.flood === "1"
            ? { by: "by-address", code: "RATE_LIMITED", retryAfterMs: 1_500 }
            : undefined,
      });
      const app = express().use(inbound(limit));
      app.get("/", (_req, res) => void res.send("in"));
      const { url } = await serve(app);
      expect(await (await fetch(url)).text()).toBe("in");
      const refused = await fetch(`${url}/?flood=1`);
      expect(refused.status).toBe(429);
      expect(refused.headers.get("ratelimit")).toBe('"by-address";r=0;t=2');
    });

    test("holds a permit until the response closes, whether it was finished or left", async () => {
      const finish: (() => void)[] = [];
      const app = express().use(inbound(bulkhead({ name: "in", concurrency: 1 })));
      app.get("/", (_req, res) => finish.push(() => res.send("out")));
      const { url } = await serve(app);
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
      }
    });

    test("what is thrown behind it goes the usual way", async () => {
      const seen: unknown[] = [];
      const app = express().use(inbound(bulkhead({ name: "in", concurrency: 1 })));
      app.get("/", () => {
        throw new Error("mine");
      });
      const { url } = await serve(app.use(answer(seen)));
      expect((await fetch(url)).status).toBe(599);
      expect(seen).toHaveLength(1);
    });

    test("refuses what cannot guard", () => {
      expect(() => inbound(retry())).toThrow("inbound: retry does not admit requests");
    });
  });

  describe("errors", () => {
    const refusal = new RefusedError({ by: "tenant", code: "RATE_LIMITED", retryAfterMs: 3_000 });

    async function failing(error: unknown, before: (res: Response) => void = () => {}) {
      const seen: unknown[] = [];
      const app = express().use(breakwater());
      app.get("/", (_req, res, next) => {
        before(res);
        next(error);
      });
      return { ...(await serve(app.use(errors(), answer(seen)))), seen };
    }

    test("answers ours, also from inside an SDK's error", async () => {
      for (const error of [refusal, new Error("Connection error.", { cause: refusal })]) {
        const { url, seen } = await failing(error);
        const response = await fetch(url);
        expect(response.status).toBe(429);
        expect(response.headers.get("retry-after")).toBe("3");
        expect(response.headers.get("content-type")).toBe("application/problem+json");
        expect(seen).toEqual([]);
      }
    });

    test("takes back what described another answer", async () => {
      const { url } = await failing(refusal, (res) =>
        res.set({ "content-length": "1", etag: "x", "x-kept": "1" }),
      );
      const response = await fetch(url);
      expect(response.headers.get("x-kept")).toBe("1");
      expect(response.headers.has("etag")).toBe(false);
      expect(await response.json()).toMatchObject({ code: "RATE_LIMITED" });
    });

    test("passes everything else on, as it is", async () => {
      const mine = Object.assign(new Error("mine"), { status: 404 });
      const { url, seen } = await failing(mine);
      expect((await fetch(url)).status).toBe(599);
      expect(seen[0]).toBe(mine);
    });

    test("ends a stream of events with an error event", async () => {
      const { url } = await failing(refusal, (res) => res.type("text/event-stream").write("data: 1\n\n"));
      expect(await (await fetch(url)).text()).toMatch(
        /^data: 1\n\nevent: error\ndata: .*RATE_LIMITED.*\n\n$/,
      );
    });

    test("cuts any other answer that has begun, so that half of it is never taken for all of it", async () => {
      const { url } = await failing(refusal, (res) => res.type("text/plain").write("half an ans"));
      await expect(fetch(url).then((response) => response.text())).rejects.toThrow(/terminated|fetch failed/);
    });

    test("writes nothing to an answer that is complete", async () => {
      const { url, seen } = await failing(refusal, (res) => res.send("complete"));
      expect(await (await fetch(url)).text()).toBe("complete");
      expect(seen).toEqual([]);
    });

    test("keeps quiet when an error only says that the browser has left", async () => {
      const seen: unknown[] = [];
      const script = scriptedUpstream();
      const ask = createClient(script.upstream);
      let settled = 0;
      const app = express().use(breakwater());
      app.get("/", (_req, res, next) => {
        ask("x").then(
          (text) => res.send(text),
          (error: unknown) => {
            next(error);
            settled++;
          },
        );
      });
      const { url } = await serve(app.use(errors(), answer(seen)));
      const browser = visit(url);
      await script.next();
      browser.leave();
      await until(() => settled === 1);
      expect(seen).toEqual([]);
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
