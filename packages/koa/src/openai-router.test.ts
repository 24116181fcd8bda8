import { ConfigError } from "@breakwater/core";
import { bodyParser } from "@koa/bodyparser";
import { Router } from "@koa/router";
import mount from "koa-mount";
import { describe, expect, test } from "vitest";

import { breakwater, openaiRouter } from "./index.ts";
import { post, serve, versions } from "./server.test-help.ts";

/** Tells what it was asked, as something that serves the OpenAI API would see it. */
const client = {
  handler:
    ({ authorize }: { authorize: "public" | ((request: Request) => boolean) }) =>
    async (request: Request): Promise<Response> => {
      if (authorize !== "public" && !authorize(request)) return new Response(null, { status: 401 });
      const { pathname, search } = new URL(request.url);
      return Response.json({ path: pathname + search, body: await request.text() });
    },
};

describe.each(versions)("openaiRouter on %s", (_, Koa) => {
  const open = openaiRouter(client, { authorize: "public" });

  test("serves /v1, with Koa's own 404 far from it", async () => {
    const { url, told } = await serve(new Koa().use(open));
    const response = await fetch(`${url}/v1/models?x=1`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ path: "/v1/models?x=1", body: "" });
    expect((await fetch(`${url}/v2/models`)).status).toBe(404);
    expect(told).toEqual([]);
  });

  test.each([
    ["/", "/v1/models?x=/v1/a"],
    ["/v1", "/v1/models?x=/v1/a"],
    ["/llm", "/llm/v1/models?x=/v1/a"],
    ["/llm/v1", "/llm/v1/models?x=/v1/a"],
  ])("mounted at %s it serves %s", async (at, path) => {
    const { url } = await serve(new Koa().use(mount(at, open)));
    expect(await (await fetch(url + path)).json()).toEqual({ path: "/v1/models?x=/v1/a", body: "" });
  });

  test.each([
    ["", "/v1/models?x=/v1/a"],
    ["/llm", "/llm/v1/models?x=/v1/a"],
    ["/api/v1/:team", "/api/v1/search/v1/models?x=/v1/a"],
  ])("in a router with the prefix %j it serves %s", async (prefix, path) => {
    const router = new Router(prefix === "" ? {} : { prefix });
    router.all("/v1/*rest", open);
    const { url } = await serve(new Koa().use(router.routes()));
    expect(await (await fetch(url + path)).json()).toEqual({ path: "/v1/models?x=/v1/a", body: "" });
    expect((await fetch(`${url}/elsewhere`)).status).toBe(404);
  });

  test("passes on what is none of its business", async () => {
    const app = new Koa().use(open).use((ctx) => void (ctx.body = `mine: ${ctx.path}`));
    const { url } = await serve(app);
    for (const path of ["/", "/chat", "/v10/models", "/a/v1/models"]) {
      expect(await (await fetch(url + path)).text()).toBe(`mine: ${path}`);
    }
  });

  test.each(["parsed", "unread"])("sees a body that is %s", async (state) => {
    const app = new Koa().use(breakwater());
    if (state === "parsed") app.use(bodyParser());
    const { url } = await serve(app.use(open));
    const response = await fetch(`${url}/v1/chat/completions`, post({ messages: ["hö"] }));
    expect(await response.json()).toEqual({ path: "/v1/chat/completions", body: '{"messages":["hö"]}' });
  });

  test("lets in whom authorize lets in", async () => {
    const authorize = (request: Request): boolean => request.headers.get("authorization") === "Bearer team";
    const { url } = await serve(new Koa().use(openaiRouter(client, { authorize })));
    expect((await fetch(`${url}/v1/models`)).status).toBe(401);
    expect((await fetch(`${url}/v1/models`, { headers: { authorization: "Bearer team" } })).status).toBe(200);
  });

  test("what its client throws is the application's to answer", async () => {
    const mine = new Error("mine");
    const broken = { handler: () => () => Promise.reject(mine) };
    const app = new Koa().use(async (ctx, next) => {
      await next().catch((error: unknown) => void (ctx.body = error === mine));
    });
    const { url } = await serve(app.use(openaiRouter(broken, { authorize: "public" })));
    expect(await (await fetch(`${url}/v1/models`)).json()).toBe(true);
  });
});

test.each([undefined, {}, { authorize: undefined }, { authorize: true }, { authorize: "everybody" }])(
  "openaiRouter is closed by default: %j is refused at construction",
  (options) => {
    expect(() => openaiRouter(client, options as never)).toThrow(ConfigError);
    expect(() => openaiRouter(client, options as never)).toThrow(/authorize is required.*"public"/);
  },
);
