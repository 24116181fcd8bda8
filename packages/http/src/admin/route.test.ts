import { oneConnection } from "@breakwater-internal/visitor";
// Over real sockets, as the adapters serve it.
import { circuitBreaker, createPipeline, guard, systemRuntime } from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import { expect, onTestFinished, test } from "vitest";

import { drain } from "../drain.ts";
import { listener, serve, turn, visit } from "../server.test-help.ts";
import { basicAuth, createAdminRoute, readAdminPath } from "./index.ts";

const ADA = { authorization: `Basic ${btoa("ada:secret")}` };

async function served(
  search = createPipeline({ name: "search" }, circuitBreaker({ name: "host" })),
  runtime = systemRuntime(),
) {
  const route = createAdminRoute(search, { authorize: basicAuth({ ada: "secret" }), runtime });
  onTestFinished(() => route.close());
  const { listen, thrown } = listener((req, res) =>
    route.serve(req, res, { url: (req.url ?? "/").replace(/^\/breakwater/, "") }),
  );
  return { ...(await serve(listen)), search, route, thrown };
}

test("works with a name and a password in the address, as curl and browsers send them", async () => {
  const { url } = await served();
  const asked = await fetch(`${url}/breakwater/snapshot`);
  expect([asked.status, asked.headers.get("www-authenticate")]).toEqual([
    401,
    'Basic realm="Breakwater", charset="UTF-8"',
  ]);
  const response = await fetch(`${url}/breakwater/snapshot`, { headers: ADA });
  expect(await response.json()).toMatchObject({ clients: [{ name: "search" }] });
});

test("leads from the place itself to the page, and no further", async () => {
  const { url } = await served();
  const first = await fetch(`${url}/breakwater`, { headers: ADA, redirect: "manual" });
  expect([first.status, first.headers.get("location")]).toEqual([308, "./breakwater/"]);
  const page = await fetch(`${url}/breakwater`, { headers: ADA });
  expect(page.url).toBe(`${url}/breakwater/`);
  expect(await page.text()).toContain("<!doctype html>");
  for (const path of ["//evil.example", "/breakwater//evil.example", "/breakwater/..//evil.example"]) {
    const { statusCode, headers } = await visit(url + path, { headers: ADA }).response;
    expect([path, statusCode, headers.location ?? ""]).toEqual([path, 404, ""]);
  }
});

test("events arrive while they happen, and a reader who leaves is forgotten", async () => {
  const { search, url } = await served();
  const reader = visit(`${url}/breakwater/events`, { headers: ADA });
  await reader.read();
  await search.change("host", { force: "open" }, { by: "somebody" });
  expect(await reader.event()).toMatchObject({ event: "policy-change", data: { by: "somebody" } });
  reader.leave();
  const after = visit(`${url}/breakwater/events`, { headers: ADA });
  await after.read();
  await search.change("host", { force: "auto" });
  expect(await after.event()).toMatchObject({ event: "policy-change", data: { change: { force: "auto" } } });
  after.leave();
});

test("fifty readers who have left leave room for others", async () => {
  const { url } = await served();
  const readers = Array.from({ length: 50 }, () => visit(`${url}/breakwater/events`, { headers: ADA }));
  for (const reader of readers) await reader.read();
  const status = async (): Promise<number> => {
    const response = await fetch(`${url}/breakwater/events`, { headers: ADA });
    await response.body?.cancel();
    return response.status;
  };
  expect(await status()).toBe(503);
  for (const reader of readers) reader.leave();
  for (let now = 503; now !== 200;) now = await status();
});

test("who reads nothing is let go, and who only waits is not", async () => {
  const clock = createTestClock();
  const flood = guard("flood", {
    name: "flood",
    admit({ host }) {
      for (let n = 0; n < 10; n++) host.events.emit({ type: "hint", message: "x".repeat(10_000) });
      return undefined;
    },
  });
  const { search, url } = await served(createPipeline({ name: "search" }, flood), clock);
  const reader = visit(`${url}/breakwater/events?types=hint`, { headers: ADA });
  await reader.read();
  const lost = visit(`${url}/breakwater/events?types=none`, { headers: ADA });
  await lost.read();
  // Until what the system keeps for him is full as well.
  for (let n = 0; n < 1_000; n++) await search.execute(() => turn());
  await clock.advance(40_000);
  await expect(reader.rest()).rejects.toThrow("cut");
  // Who only waits is not slow.
  expect(await lost.read()).toMatch(/^(: keep-alive\n\n)+$/);
  lost.leave();
});

test("a body that is too large is refused, before anybody reads it", async () => {
  const { url } = await served();
  const response = await fetch(`${url}/breakwater/change`, {
    method: "POST",
    headers: { ...ADA, "content-type": "application/json" },
    body: "x".repeat(1_000_000),
  });
  expect(response.status).toBe(413);
});

test("whoever follows the events does not hold up a shutdown", async () => {
  const { route, search, server, thrown, url } = await served();
  const reader = visit(`${url}/breakwater/events`, { headers: ADA });
  await reader.read();
  // A page that is open asks all the time, over a connection that it keeps.
  const agent = oneConnection();
  await visit(`${url}/breakwater/state`, { headers: ADA, agent }).rest();
  expect(await drain(server, [search], { withinMs: 20_000 })).toBe(true);
  expect(await reader.rest()).toMatch(/^(: keep-alive\n\n)*$/);
  agent.destroy();
  await route.close();
  expect(thrown).toEqual([]);
});

test("is still answered while its clients drain", async () => {
  const { search, url } = await served();
  await search.drain();
  const response = await fetch(`${url}/breakwater/state`, { headers: ADA });
  expect(await response.json()).toMatchObject({ instances: [{ clients: [{ draining: true }] }] });
});

test("is over when it is closed", async () => {
  const { route, url } = await served();
  const reader = visit(`${url}/breakwater/events`, { headers: ADA });
  await reader.read();
  await route.close();
  await reader.rest();
  const { statusCode } = await visit(`${url}/breakwater/state`, { headers: ADA }).response;
  expect(statusCode).toBe(503);
});

test.each([
  [
    "a path, which the server says",
    [createPipeline(), { authorize: () => true, path: "/x" }],
    /leave path out/,
  ],
  ["a path before the clients", ["/x", createPipeline()], /a client is expected, .* got "\/x"/],
  ["options before the clients", [{ authorize: () => true }, createPipeline()], /a client is expected/],
  ["nothing but clients", [createPipeline()], /authorize is required/],
  [
    "an unknown option",
    [createPipeline(), { authorize: () => true, tittle: "x" }],
    /unknown option "tittle"; known are authorize,/,
  ],
])("%s is a mistake that is told as such", (_, given, said) => {
  expect(() => createAdminRoute(...(given as never as Parameters<typeof createAdminRoute>))).toThrow(said);
});

test.each([
  [undefined, 'such as "/breakwater", got nothing'],
  ["breakwater", 'got "breakwater"'],
  [createPipeline(), "got no string (clients come after it)"],
])("%s is no path", (given, said) => {
  expect(() => readAdminPath(given)).toThrow(said);
});
