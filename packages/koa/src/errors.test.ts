import { Readable } from "node:stream";

import {
  ConfigError,
  createClient,
  rateLimit,
  RefusedError,
  upstream,
  UpstreamError,
} from "@breakwater/core";
import { scriptedUpstream } from "@breakwater/testing";
import Koa, { type Context } from "koa";
import { describe, expect, test } from "vitest";

import { breakwater, errors, inbound, respond } from "./index.ts";
import { visit, serve, until, versions } from "./server.test-help.ts";

const refusal = new RefusedError({ by: "tenant", code: "RATE_LIMITED", retryAfterMs: 3_000 });

describe.each(versions)("errors on %s", (_, App) => {
  const failing = (error: unknown, before: (ctx: Context) => void = () => {}) =>
    serve(
      new App()
        .use(errors())
        .use(breakwater())
        .use((ctx) => {
          before(ctx);
          throw error;
        }),
    );

  test("answers ours, also from inside an SDK's error", async () => {
    for (const error of [refusal, new Error("Connection error.", { cause: refusal })]) {
      const { url, told } = await failing(error);
      const response = await fetch(url);
      expect(response.status).toBe(429);
      expect(response.statusText).toBe("Too Many Requests");
      expect(response.headers.get("retry-after")).toBe("3");
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      expect(response.headers.get("cache-control")).toBe("no-store");
      expect(await response.json()).toMatchObject({ status: 429, code: "RATE_LIMITED" });
      expect(told).toEqual([]);
    }
  });

  test("takes back what described another answer", async () => {
    const { url } = await failing(refusal, (ctx) => {
      ctx.body = "<p>a page that there will not be</p>";
      ctx.set({ etag: "x", "content-encoding": "br", "x-kept": "1" });
    });
    const response = await fetch(url);
    expect(response.headers.get("x-kept")).toBe("1");
    expect(response.headers.has("etag")).toBe(false);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({ code: "RATE_LIMITED" });
  });

  test("middleware around it sees status and body, and may add to the head", async () => {
    const app = new App().use(async (ctx, next) => {
      await next();
      ctx.set("x-seen", `${ctx.status} ${(ctx.body as { code: string }).code}`);
    });
    app.use(errors()).use(() => Promise.reject(refusal));
    const response = await fetch((await serve(app)).url);
    expect(response.headers.get("x-seen")).toBe("429 RATE_LIMITED");
  });

  test("a HEAD has status and headers", async () => {
    const { url } = await failing(refusal);
    const response = await fetch(url, { method: "HEAD" });
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("3");
  });

  test("ctx.throw works as ever, and so do listeners", async () => {
    const { url, told } = await serve(
      new App().use(errors()).use((ctx) => ctx.throw(404, "no such chat", { id: 7 })),
    );
    const response = await fetch(url);
    expect(response.status).toBe(404);
    expect(await response.text()).toBe("no such chat");
    expect(told).toMatchObject([{ status: 404, expose: true, id: 7 }]);
  });

  test("passes everything else on, as it is", async () => {
    const caught: unknown[] = [];
    const mine = new Error("mine");
    const app = new App().use(async (ctx, next) => {
      await next().catch((error: unknown) => caught.push(error));
      ctx.status = 418;
    });
    app.use(errors()).use(() => Promise.reject(mine));
    const { url, told } = await serve(app);
    expect((await fetch(url)).status).toBe(418);
    expect(caught[0]).toBe(mine);
    expect(told).toEqual([]);
  });

  test("listeners hear of a mistake of the application, and of nothing that is only busy", async () => {
    const mistake = new ConfigError("ask: attempts must be at least 1");
    const ours = await failing(mistake);
    expect((await fetch(ours.url)).status).toBe(500);
    expect(ours.told).toEqual([mistake]);

    const client = createClient(upstream(() => Promise.reject(mistake)));
    const route = await serve(new App().use(respond(client, () => 1)));
    expect((await fetch(route.url)).status).toBe(500);
    expect(route.told).toEqual([mistake]);

    const limits = () => ({ requests: { limit: Number.NaN, per: "1s" } }) as const;
    const gate = await serve(new App().use(errors()).use(inbound(rateLimit({ name: "by-plan", limits }))));
    expect(await (await fetch(gate.url)).json()).toMatchObject({ status: 500, code: "CONFIG" });
    expect(gate.told).toMatchObject([{ code: "CONFIG" }]);

    const busy = await failing(
      new UpstreamError("OVERLOADED", "Service too busy", { status: 503, retryable: true }),
    );
    expect((await fetch(busy.url)).status).toBe(502);
    expect(busy.told).toEqual([]);
  });

  test("ends a stream of events with an error event", async () => {
    const { url } = await failing(refusal, ({ res }) => {
      res.setHeader("content-type", "text/event-stream");
      res.write("data: 1\n\n");
    });
    expect(await (await fetch(url)).text()).toMatch(/^data: 1\n\nevent: error\ndata: .*RATE_LIMITED.*\n\n$/);
  });

  test("cuts any other answer that has begun, so that half of it is never taken for all of it", async () => {
    const { url } = await failing(refusal, ({ res }) => void res.write("half an ans"));
    await expect(fetch(url).then((response) => response.text())).rejects.toThrow(/terminated|fetch failed/);
  });

  test("cuts it for an error of the application's too, which is told as ever", async () => {
    const mine = new Error("mine");
    const { url, told } = await failing(mine, ({ res }) => void res.write("half an ans"));
    await expect(fetch(url).then((response) => response.text())).rejects.toThrow(/terminated|fetch failed/);
    expect(told[0]).toBe(mine);
  });

  test("a body that breaks off is cut, and one that fails at once is Koa's to answer", async () => {
    const mine = new Error("mine");
    for (const begun of [true, false]) {
      const { url, told } = await serve(
        new App().use(errors()).use((ctx) => {
          ctx.body = new Readable({
            read() {
              if (begun && !ctx.headerSent) this.push("half an ans");
              else this.destroy(mine);
            },
          });
        }),
      );
      const text = fetch(url).then((response) => response.text());
      if (begun) await expect(text).rejects.toThrow(/terminated|fetch failed/);
      else await text.catch(() => undefined);
      await until(() => told.length > 0);
      // Koa 3 tells it twice, as the body's and as the response's.
      expect(new Set(told)).toEqual(new Set([mine]));
    }
  });

  test.each([
    ["at once", false, "text/plain"],
    ["in the middle of a text", true, "text/plain"],
    ["in the middle of events", true, "text/event-stream"],
  ])("answers ours where the body breaks with it, %s", async (__, begun, type) => {
    const { url, told } = await serve(
      new App().use(errors()).use((ctx) => {
        ctx.type = type;
        ctx.body = Readable.from(
          (async function* () {
            if (begun) yield "data: 1\n\n";
            await until(() => !begun || ctx.headerSent);
            throw new Error("Connection error.", { cause: refusal });
          })(),
        );
      }),
    );
    const response = fetch(url);
    if (!begun) {
      expect((await response).status).toBe(429);
      expect((await response).statusText).toBe("Too Many Requests");
      expect((await response).headers.get("retry-after")).toBe("3");
      expect(await (await response).json()).toMatchObject({ code: "RATE_LIMITED" });
    } else if (type === "text/plain") {
      await expect(response.then((cut) => cut.text())).rejects.toThrow(/terminated|fetch failed/);
    } else {
      expect(await (await response).text()).toMatch(/^data: 1\n\nevent: error\ndata: .*RATE_LIMITED.*\n\n$/);
    }
    expect(told).toEqual([]);
  });

  test("writes nothing to an answer that is complete", async () => {
    const { url, told } = await failing(refusal, ({ res }) => void res.end("complete"));
    expect(await (await fetch(url)).text()).toBe("complete");
    expect(told).toEqual([]);
  });

  test("answers where the application has told Koa that it writes by itself", async () => {
    const { url } = await failing(refusal, (ctx) => void (ctx.respond = false));
    expect((await fetch(url)).status).toBe(429);
  });

  test("keeps quiet when an error only says that the browser has left", async () => {
    const script = scriptedUpstream();
    const ask = createClient(script.upstream);
    let settled = 0;
    const app = new App().use(async (_ctx, next) => {
      await next();
      settled++;
    });
    app
      .use(errors())
      .use(breakwater())
      .use(async (ctx) => void (ctx.body = await ask("x")));
    const { url, told } = await serve(app);
    const browser = visit(url);
    await script.next();
    browser.leave();
    await until(() => settled === 1);
    expect(told).toEqual([]);
  });

  test("keeps quiet when a browser leaves in the middle of what is written, or of a body", async () => {
    for (const own of [true, false]) {
      const body = new Readable({ read: () => {} });
      let closed = false;
      const app = new App().use(errors()).use((ctx) => {
        ctx.res.once("close", () => (closed = true));
        ctx.body = body;
        if (!own) return;
        // A pipe of the application's own goes on writing.
        ctx.respond = false;
        ctx.res.statusCode = 200;
        body.on("data", (chunk) => ctx.res.write(chunk));
      });
      const { url, told } = await serve(app);
      const browser = visit(url);
      body.push("one");
      await browser.read();
      browser.leave();
      while (!closed) {
        body.push("two".repeat(10_000));
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      }
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      expect(told).toEqual([]);
    }
  });
});

// Koa 2 knows of no such bodies.
describe.each([
  ["a web stream", (stream: ReadableStream): unknown => stream],
  [
    "a web response",
    (stream: ReadableStream): unknown => new Response(stream, { headers: { "x-kept": "1" } }),
  ],
])("errors on Koa 3, where the body is %s", (_, bodyOf) => {
  const started = (read: (ctx: Context, said: (text: string) => void) => Promise<void>, left = () => {}) =>
    serve(
      new Koa().use(errors()).use((ctx) => {
        ctx.type = "text/event-stream";
        const stream = new ReadableStream<Uint8Array>({
          pull: (controller) => read(ctx, (text) => controller.enqueue(Buffer.from(text))),
          cancel: left,
        });
        ctx.body = bodyOf(stream);
      }),
    );

  test("answers ours where it breaks at once", async () => {
    const { url, told } = await started(() => Promise.reject(refusal));
    const response = await fetch(url);
    expect(response.status).toBe(429);
    expect(await response.json()).toMatchObject({ code: "RATE_LIMITED" });
    expect(told).toEqual([]);
  });

  test("tells of ours inside it where it breaks in the middle", async () => {
    const { url, told } = await started(async (ctx, say) => {
      if (ctx.headerSent) throw new Error("Connection error.", { cause: refusal });
      say("data: 1\n\n");
      await until(() => ctx.headerSent);
    });
    const response = await fetch(url);
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream\b/);
    expect(await response.text()).toMatch(/^data: 1\n\nevent: error\ndata: .*RATE_LIMITED.*\n\n$/);
    expect(told).toEqual([]);
  });

  test.each(["GET", "HEAD"])("lets go of it when nobody reads on, of a %s", async (method) => {
    let left = 0;
    const silent = new Promise<void>(() => {});
    const { url, told } = await started(
      (ctx, say) => (ctx.headerSent ? silent : Promise.resolve(say("data: 1\n\n"))),
      () => left++,
    );
    const browser = visit(url, { method });
    if (method === "GET") {
      await browser.read();
      browser.leave();
    }
    await until(() => left === 1);
    expect(told).toEqual([]);
  });
});
