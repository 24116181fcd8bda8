import { circuitBreaker, ConfigError, createPipeline } from "@breakwater/core";
import { describe, expect, onTestFinished, test } from "vitest";

import { admin, basicAuth, breakwater, drain, errors } from "./index.ts";
import { post, serve, versions, visit } from "./server.test-help.ts";

const ADA = { authorization: `Basic ${btoa("ada:secret")}` };
const force = { client: "search", policy: "host", change: { force: "open" } };

function made() {
  const search = createPipeline({ name: "search" }, circuitBreaker({ name: "host" }));
  const page = admin(search, { authorize: basicAuth({ ada: "secret" }) });
  onTestFinished(() => page.close());
  return { search, page };
}

describe.each(versions)("admin on %s", (_, express) => {
  test.each([
    ["/breakwater", "/breakwater"],
    ["/breakwater/", "/breakwater"],
    ["/ops/:team", "/ops/search"],
    ["/", ""],
  ])("used at %s it serves everything below %s", async (at, below) => {
    const { page } = made();
    const { url } = await serve(express().use(at, page));
    const index = await fetch(url + below, { headers: ADA });
    expect(index.url).toBe(`${url}${below}/`);
    expect(await index.text()).toContain("<!doctype html>");
    const state = await fetch(`${url}${below}/state?scope=all`, { headers: ADA });
    expect(await state.json()).toMatchObject({ by: "ada", instances: [{ clients: [{ name: "search" }] }] });
    expect((await fetch(`${url}${below}/none`, { headers: ADA })).status).toBe(404);
    expect((await fetch(`${url}${below}/state`)).status).toBe(401);
  });

  test("is found in a router of a router", async () => {
    const { page } = made();
    const inner = express.Router().use("/breakwater", page);
    const { url } = await serve(express().use("/api", express.Router().use("/ops", inner)));
    const index = await fetch(`${url}/api/ops/breakwater`, { headers: ADA });
    expect(index.url).toBe(`${url}/api/ops/breakwater/`);
    expect((await fetch(`${url}/api/ops/breakwater/snapshot`, { headers: ADA })).status).toBe(200);
  });

  test.each(["parsed", "unread"])("changes a policy with a body that is %s", async (state) => {
    const { page, search } = made();
    const app = express().use(breakwater());
    if (state === "parsed") app.use(express.json(), express.urlencoded({ extended: true }));
    const { url } = await serve(app.use("/breakwater", page));
    const response = await fetch(`${url}/breakwater/change`, post(force, ADA));
    expect(await response.json()).toMatchObject({ changed: force, by: "ada" });
    expect(await search.outcome(() => 1)).toMatchObject({ status: "refused" });
    const polluted = '{"client":"search","policy":"host","change":{"update":{"__proto__":{"x":1}}}}';
    expect((await fetch(`${url}/breakwater/change`, post(polluted, ADA))).status).toBe(400);
    const form = { method: "POST", headers: ADA, body: new URLSearchParams({ client: "search" }) };
    expect((await fetch(`${url}/breakwater/change`, form)).status).toBe(415);
    expect(
      (await fetch(`${url}/breakwater/change`, post(force, { ...ADA, origin: "http://evil.example" })))
        .status,
    ).toBe(403);
  });

  test("tells events while they happen, and does not hold up a shutdown", async () => {
    const { page, search } = made();
    const { server, url } = await serve(express().use("/breakwater", page).use(errors()));
    const reader = visit(`${url}/breakwater/events`, { headers: ADA });
    await reader.read();
    await search.change("host", { force: "open" }, { by: "ada" });
    expect(await reader.event()).toMatchObject({ event: "policy-change", data: { by: "ada" } });
    expect(await drain(server, [search])).toBe(true);
    await reader.rest();
  });

  test("leaves other paths alone", async () => {
    const { page } = made();
    const app = express().use("/breakwater", page);
    app.use((req, res) => void res.send(`mine: ${req.path}`));
    const { url } = await serve(app);
    for (const path of ["/", "/state", "/breakwaters"])
      expect(await (await fetch(url + path)).text()).toBe(`mine: ${path}`);
  });
});

const everybody = (): boolean => true;
test.each([undefined, {}, { authorize: "public" }, { authorize: everybody, path: "/x" }])(
  "admin refuses %j when it is made",
  (options) => {
    expect(() => admin(createPipeline(), options as never)).toThrow(ConfigError);
  },
);
