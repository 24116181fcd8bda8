import { circuitBreaker, ConfigError, createPipeline } from "@breakwater/core";
import { bodyParser } from "@koa/bodyparser";
import { Router } from "@koa/router";
import mount from "koa-mount";
import { describe, expect, onTestFinished, test } from "vitest";

import { admin, basicAuth, breakwater, drain, errors } from "./index.ts";
import { post, serve, versions, visit } from "./server.test-help.ts";

const ADA = { authorization: `Basic ${btoa("ada:secret")}` };
const force = { client: "search", policy: "host", change: { force: "open" } };

function made(path: string) {
  const search = createPipeline({ name: "search" }, circuitBreaker({ name: "host" }));
  const page = admin(path, search, { authorize: basicAuth({ ada: "secret" }) });
  onTestFinished(() => page.close());
  return { search, page };
}

async function expectServed(url: string, below: string): Promise<void> {
  const index = await fetch(url + below, { headers: ADA });
  expect(index.url).toBe(`${url}${below}/`);
  expect(await index.text()).toContain("<!doctype html>");
  const state = await fetch(`${url}${below}/state?scope=all`, { headers: ADA });
  expect(await state.json()).toMatchObject({ by: "ada", instances: [{ clients: [{ name: "search" }] }] });
  expect((await fetch(`${url}${below}/none`, { headers: ADA })).status).toBe(404);
  const stranger = await fetch(`${url}${below}/state`);
  expect([stranger.status, stranger.headers.get("www-authenticate")]).toEqual([
    401,
    'Basic realm="Breakwater", charset="UTF-8"',
  ]);
}

describe.each(versions)("admin on %s", (_, Koa) => {
  test.each([
    ["/breakwater", "/breakwater"],
    ["/breakwater/", "/breakwater"],
    ["/ops/search", "/ops/search"],
    ["/", ""],
  ])("at %s it serves everything below %s", async (at, below) => {
    const { url, told } = await serve(new Koa().use(made(at).page));
    await expectServed(url, below);
    expect(told).toEqual([]);
  });

  test.each([
    ["/breakwater", "/", "/breakwater"],
    ["/ops", "/breakwater", "/ops/breakwater"],
  ])("mounted at %s, at %s there, it serves everything below %s", async (at, path, below) => {
    const { url } = await serve(new Koa().use(mount(at, made(path).page)));
    await expectServed(url, below);
  });

  test("in a router it is told the whole path", async () => {
    const router = new Router({ prefix: "/ops" });
    router.all("/breakwater{/*rest}", made("/ops/breakwater").page);
    const { url } = await serve(new Koa().use(router.routes()));
    await expectServed(url, "/ops/breakwater");
  });

  test.each(["parsed", "unread"])("changes a policy with a body that is %s", async (state) => {
    const { page, search } = made("/breakwater");
    const app = new Koa().use(errors()).use(breakwater());
    if (state === "parsed") app.use(bodyParser());
    const { url } = await serve(app.use(page));
    const response = await fetch(`${url}/breakwater/change`, post(force, ADA));
    expect(await response.json()).toMatchObject({ changed: force, by: "ada" });
    expect(await search.outcome(() => 1)).toMatchObject({ status: "refused" });
    const polluted = '{"client":"search","policy":"host","change":{"update":{"__proto__":{"x":1}}}}';
    expect((await fetch(`${url}/breakwater/change`, post(polluted, ADA))).status).toBe(400);
    const form = { method: "POST", headers: ADA, body: new URLSearchParams({ client: "search" }) };
    expect((await fetch(`${url}/breakwater/change`, form)).status).toBe(415);
    const foreign = post(force, { ...ADA, origin: "http://evil.example" });
    expect((await fetch(`${url}/breakwater/change`, foreign)).status).toBe(403);
  });

  test("tells events while they happen, and does not hold up a shutdown", async () => {
    const { page, search } = made("/breakwater");
    const { server, told, url } = await serve(new Koa().use(errors()).use(page));
    const reader = visit(`${url}/breakwater/events`, { headers: ADA });
    await reader.read();
    await search.change("host", { force: "open" }, { by: "ada" });
    expect(await reader.event()).toMatchObject({ event: "policy-change", data: { by: "ada" } });
    expect(await drain(server, [search])).toBe(true);
    await reader.rest();
    expect(told).toEqual([]);
  });

  test("passes on other paths", async () => {
    const app = new Koa().use(made("/breakwater").page).use((ctx) => void (ctx.body = `mine: ${ctx.path}`));
    const { url } = await serve(app);
    for (const path of ["/", "/state", "/breakwaters", "/a/breakwater/state"])
      expect(await (await fetch(url + path)).text()).toBe(`mine: ${path}`);
  });
});

const everybody = (): boolean => true;
test.each([
  ["/breakwater", undefined],
  ["/breakwater", {}],
  ["/breakwater", { authorize: "public" }],
  ["/breakwater", { authorize: everybody, path: "/x" }],
  ["breakwater", { authorize: everybody }],
  [undefined, { authorize: everybody }],
])("admin refuses %j with %j when it is made", (path, options) => {
  expect(() => admin(path as never, createPipeline(), options as never)).toThrow(ConfigError);
});
