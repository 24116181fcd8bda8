import { createClient, currentContext, RefusedError } from "@breakwater/core";
import { scriptedUpstream } from "@breakwater/testing";
import { describe, expect, test } from "vitest";

import { mount, type MountOptions, type WebHandler } from "./mount.ts";
import { visit, listener, serve, turn, until } from "./server.test-help.ts";

async function serveWeb(handler: WebHandler, options: MountOptions = {}) {
  const handle = mount(handler, options);
  const { listen, thrown } = listener((req, res) => handle(req, res));
  return { ...(await serve(listen)), thrown };
}

describe("a request", () => {
  test("arrives whole: method, path, query, headers, body", async () => {
    const { url } = await serveWeb(async (request) =>
      Response.json({
        url: request.url,
        method: request.method,
        type: request.headers.get("content-type"),
        body: await request.text(),
      }),
    );
    const response = await fetch(`${url}/a/b?c=d%20e`, {
      method: "PUT",
      body: "höllo",
      headers: { "content-type": "text/x" },
    });
    expect(await response.json()).toEqual({
      url: `${url}/a/b?c=d%20e`,
      method: "PUT",
      type: "text/x",
      body: "höllo",
    });
  });

  test("leaves behind what speaks of the connection", async () => {
    let headers: Headers | undefined;
    const { url } = await serveWeb((request) => {
      headers = request.headers;
      return new Response();
    });
    await visit(url, {
      headers: {
        connection: "close, x-mine",
        "x-mine": "1",
        "x-theirs": "2",
        te: "trailers",
        "proxy-authorization": "secret",
      },
    }).response;
    expect(headers?.get("x-theirs")).toBe("2");
    for (const name of ["connection", "x-mine", "te", "proxy-authorization"])
      expect(headers?.has(name)).toBe(false);
  });

  test("whose body was parsed already is put together again", async () => {
    const handle = mount(async (request) => Response.json(await request.json()));
    const { listen } = listener(async (req, res) => {
      const chunks: Buffer[] = [];
      for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
      await handle(req, res, {
        body: JSON.parse(Buffer.concat(chunks).toString()) as unknown,
        url: "/other",
      });
    });
    const { url } = await serve(listen);
    const response = await fetch(url, { method: "POST", body: '{"a":[1]}' });
    expect(await response.json()).toEqual({ a: [1] });
  });

  test.each([
    ["announced", (size: number) => "x".repeat(size)],
    ["not announced", (size: number) => new Blob(["x".repeat(size)]).stream()],
  ])("that is too large is refused, its size being %s", async (_, bodyOf) => {
    let calls = 0;
    const { url } = await serveWeb(
      () => {
        calls++;
        return new Response("ok");
      },
      { bodyLimit: 1_000 },
    );
    const send = (size: number) => fetch(url, { method: "POST", body: bodyOf(size), duplex: "half" });
    const response = await send(100_000);
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ code: "ENTITY_TOO_LARGE" });
    expect((await send(1_000)).status).toBe(200);
    expect(calls).toBe(1);
  });

  test.each(["a b", "[", "x:y:z"])("to a host that is none (%s) is a bad one", async (host) => {
    const { url } = await serveWeb(() => new Response());
    expect((await visit(url, { headers: { host } }).response).statusCode).toBe(400);
  });

  test("is aborted when its browser leaves, and so are the calls that it makes", async () => {
    const script = scriptedUpstream();
    const ask = createClient(script.upstream);
    let signal: AbortSignal | undefined;
    const { url, thrown } = await serveWeb(async (request) => {
      signal = request.signal;
      return new Response(await ask("hello"));
    });
    const browser = visit(url);
    const { call } = await script.next();
    browser.leave();
    await until(() => call.aborted);
    expect(signal?.aborted).toBe(true);
    expect(thrown).toEqual([]);
  });

  test("knows its tenant", async () => {
    const { url } = await serveWeb(() => new Response(currentContext()?.tenant), { tenant: () => "acme" });
    expect(await (await fetch(url)).text()).toBe("acme");
  });
});

describe("a response", () => {
  test("arrives whole: status, headers, cookies, body", async () => {
    const { url } = await serveWeb(() => {
      const headers = new Headers({ "x-a": "1", connection: "keep-alive, x-hop", "x-hop": "1" });
      headers.append("set-cookie", "a=1");
      headers.append("set-cookie", "b=2");
      return new Response("made", { status: 201, headers });
    });
    const response = await fetch(url);
    expect(response.status).toBe(201);
    expect(response.headers.get("x-a")).toBe("1");
    expect(response.headers.has("x-hop")).toBe(false);
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(await response.text()).toBe("made");
  });

  test.each([204, 304])("with status %d has no body", async (status) => {
    const { url } = await serveWeb(() => new Response(null, { status }));
    expect((await fetch(url)).status).toBe(status);
  });

  test("takes the place of one that was meant before", async () => {
    const handle = mount(() => new Response(new Blob(["busy"]).stream(), { status: 429 }));
    const { listen } = listener((req, res) => {
      res.statusMessage = "Fine";
      res.setHeader("content-length", "2");
      res.setHeader("content-encoding", "br");
      return handle(req, res);
    });
    const { url } = await serve(listen);
    const response = await fetch(url);
    expect([response.status, response.statusText]).toEqual([429, "Too Many Requests"]);
    expect(await response.text()).toBe("busy");
  });

  test("to HEAD has none either, and its body is let go", async () => {
    let cancelled = false;
    const { url } = await serveWeb(
      () => new Response(new ReadableStream({ cancel: () => void (cancelled = true) })),
    );
    expect((await fetch(url, { method: "HEAD" })).status).toBe(200);
    await until(() => cancelled);
  });

  test("says its head before its first piece is there", async () => {
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    const { url } = await serveWeb(
      () => new Response(new ReadableStream({ start: (c) => void (controller = c) })),
    );
    const response = await fetch(url);
    controller?.enqueue(new TextEncoder().encode("late"));
    controller?.close();
    expect(await response.text()).toBe("late");
  });

  test("whose browser leaves is cancelled, although it is silent", async () => {
    let cancelled = false;
    const { url } = await serveWeb(
      () =>
        new Response(
          new ReadableStream({
            start: (c) => c.enqueue(new TextEncoder().encode("one")),
            cancel: () => void (cancelled = true),
          }),
        ),
    );
    const browser = visit(url);
    await browser.read();
    browser.leave();
    await until(() => cancelled);
  });

  test("that breaks off is never taken for a whole one", async () => {
    const { url, thrown } = await serveWeb(() => {
      let pulls = 0;
      return new Response(
        new ReadableStream({
          pull(c) {
            if (pulls++ === 0) c.enqueue(new TextEncoder().encode("half"));
            else c.error(new Error("broken"));
          },
        }),
      );
    });
    const response = await fetch(url);
    await expect(response.text()).rejects.toThrow("terminated");
    expect(thrown).toEqual([]);
  });
});

describe("what a handler throws", () => {
  test("is answered when it is ours", async () => {
    const { url } = await serveWeb(() => {
      throw new RefusedError({ by: "b", code: "BULKHEAD_FULL" });
    });
    const response = await fetch(url);
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
  });

  test("is the framework's otherwise", async () => {
    const mine = new Error("mine");
    const { url, thrown } = await serveWeb(() => Promise.reject(mine));
    expect((await fetch(url)).status).toBe(599);
    expect(thrown).toEqual([mine]);
  });

  test("is still the framework's when the browser has left, unless it says only that", async () => {
    const failures = [new Error("mine"), new DOMException("left", "AbortError")];
    let waiting = 0;
    const { url, thrown } = await serveWeb(async (request) => {
      waiting++;
      await new Promise((resolve) => {
        request.signal.addEventListener("abort", resolve);
      });
      waiting--;
      throw failures.shift() as Error;
    });
    for (const _ of failures.slice()) {
      const browser = visit(url);
      await until(() => waiting === 1);
      browser.leave();
      await until(() => waiting === 0);
    }
    await turn();
    expect(thrown).toMatchObject([{ message: "mine" }]);
  });
});
