import { oneConnection, post, turn, until, visit } from "@breakwater-internal/visitor";
import { circuitBreaker } from "@breakwater/core";
import type { AdminState } from "@breakwater/http";
import { describe, expect, test } from "vitest";

import { DRAIN_MS, type Framework } from "./framework.ts";
import { passwords, type Rig, startRig } from "./rig.ts";

/** What operators see, and may do. */
export function admin(framework: Framework): void {
  describe.each([
    ["at the root", ""],
    ["below a prefix", "/api"],
  ])("an admin %s", (_, prefix) => {
    async function startAdmin(): Promise<Rig & { readonly page: string }> {
      const rig = await startRig(framework, {
        operators: prefix,
        policies: [circuitBreaker({ name: "circuit" })],
      });
      return { ...rig, page: `${rig.url}${prefix}/breakwater` };
    }

    const open = { client: "ask", policy: "circuit", change: { force: "open" } };
    const change = (page: string, body: unknown, headers: Readonly<Record<string, string>> = as("ada")) =>
      fetch(`${page}/change`, post(body, headers));

    test("is a page, with all that it needs beside it, and nothing is kept of it or runs in it that is not its own", async () => {
      const { page } = await startAdmin();
      const response = await fetch(`${page}?from=bookmark`, { headers: as("ada") });
      expect([response.status, response.url]).toEqual([200, `${page}/?from=bookmark`]);
      expectGuarded(response);
      expect(response.headers.get("content-type")).toMatch(/^text\/html\b/);
      const html = await response.text();
      const files = [...html.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, file]) => file as string);
      expect(files).toEqual(expect.arrayContaining(["page.js", "page.css", "uplot.js", "uplot.css"]));
      for (const file of files.filter((name) => !name.startsWith("data:"))) {
        const asset = await fetch(new URL(file, response.url), { headers: as("ada") });
        expect([file, asset.status, asset.headers.get("content-type")]).toEqual([
          file,
          200,
          expect.stringMatching(file.endsWith(".css") ? /^text\/css\b/ : /^text\/javascript\b/),
        ]);
        expectGuarded(asset);
        await asset.text();
      }
    });

    test("says what all clients do", async () => {
      const { page, ask, script } = await startAdmin();
      const asked = [ask("one"), ask("two")];
      (await script.next()).answer("ahoy");
      const second = await script.next();
      await asked[0];
      const response = await fetch(`${page}/state`, { headers: as("visitor") });
      expectGuarded(response);
      const state = (await response.json()) as AdminState;
      expect(state).toMatchObject({ by: "visitor", may: "see", instances: [{ instance: "here" }] });
      const clients = state.instances[0]?.clients ?? [];
      expect(clients.map(({ name }) => name)).toEqual(expect.arrayContaining(["ask", "deepseek"]));
      expect(clients.find(({ name }) => name === "ask")).toMatchObject({
        inFlight: 1,
        policies: [{ kind: "circuit-breaker", name: "circuit", mode: "enforce" }],
        stats: { calls: 1, answered: 1 },
      });
      second.answer("ahoy");
      await asked[1];
      for (const path of ["snapshot", "describe"]) {
        const other = await fetch(`${page}/${path}`, { headers: as("visitor") });
        expect(await other.json()).toMatchObject({ instance: "here" });
      }
    });

    test("lets a breaker be held open, and tells who follows the events who has done it", async () => {
      const { page, ask, script, clock } = await startAdmin();
      const reader = visit(`${page}/events?types=policy-change,call-refused`, { headers: as("visitor") });
      const { statusCode, headers } = await reader.response;
      expect(statusCode).toBe(200);
      expect(headers["content-type"]).toMatch(/^text\/event-stream\b/);
      expect(headers["cache-control"]).toMatch(/\bno-transform\b/);

      const response = await change(page, open);
      expect([response.status, await response.json()]).toMatchObject([200, { instance: "here", by: "ada" }]);
      expect(await reader.event()).toMatchObject({
        event: "policy-change",
        data: { client: "ask", policy: "circuit", change: { force: "open" }, by: "ada" },
      });
      await expect(ask("hello")).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
      expect(await reader.event()).toMatchObject({ event: "call-refused", data: { client: "ask" } });
      expect(script.calls).toBe(0);

      await change(page, { ...open, change: { force: "auto" } });
      await expectClosed(ask, script);
      reader.leave();
      await until(() => clock.pending === 0);
    });

    test("says what is wrong with a change, and changes nothing", async () => {
      const { page, ask } = await startAdmin();
      const before = ask.describe();
      for (const [body, status] of [
        [{ ...open, client: "nobody" }, 404],
        [{ ...open, policy: "none" }, 404],
        [{ ...open, change: { update: { openFor: "soon" } } }, 400],
        [{ ...open, change: { force: "ajar" } }, 400],
        ["[]", 400],
        ["{", 400],
      ] as const) {
        const response = await change(page, body);
        expect([body, response.status]).toEqual([body, status]);
        await response.text();
      }
      expect(ask.describe()).toEqual(before);
    });

    test("is for those who may: others learn not even which paths there are", async () => {
      const { page, ask, script } = await startAdmin();
      const wrong = { authorization: `Basic ${btoa("ada:another one")}` };
      const paths = ["", "/", "/state", "/events", "/page.js", "/nowhere", "/../metrics"];
      for (const headers of [{}, wrong])
        for (const path of paths) {
          const response = await visit(page + path, { headers }).fetched();
          expect([path, response.status]).toEqual([path, path === "/../metrics" ? expect.any(Number) : 401]);
          if (response.status !== 401) continue;
          expect(response.headers.get("www-authenticate")).toMatch(/^Basic /);
          expect(await response.text()).not.toMatch(/ask|deepseek|circuit/);
        }
      expect((await change(page, open, wrong)).status).toBe(401);
      expect((await change(page, open, as("visitor"))).status).toBe(403);
      expect((await fetch(`${page}/nowhere`, { headers: as("ada") })).status).toBe(404);
      expect((await fetch(`${page}/state`, { ...post({}, as("ada")) })).status).toBe(405);
      await expectClosed(ask, script);
    });

    test.each<[string, Readonly<Record<string, string>>]>([
      ["a page of another site's", { "sec-fetch-site": "cross-site" }],
      ["a page of another origin's, as older browsers say it", { origin: "https://evil.example" }],
      ["a page that must not say where it is from", { origin: "null" }],
      ["a form, which can be sent without asking first", { "content-type": "text/plain" }],
    ])("takes no change from %s, though its user may change", async (_said, headers) => {
      const { page, ask, script } = await startAdmin();
      const response = await change(page, open, { ...as("ada"), ...headers });
      expect([403, 415]).toContain(response.status);
      await response.text();
      await expectClosed(ask, script);
    });

    test("leaves all other paths alone, and the connection as it was", async () => {
      const { url, page } = await startAdmin();
      const agent = oneConnection();
      const first = visit(`${page}/state`, { headers: as("ada"), agent });
      await first.rest();
      const second = visit(`${page}/state`, { headers: as("ada"), agent });
      await second.rest();
      expect(second.reused()).toBe(true);
      expect(
        (await visit(`${url}${prefix}/breakwaters`, { headers: as("ada"), agent }).fetched()).status,
      ).toBe(404);
      agent.destroy();
    });

    test("is no reason for a server to stay: who follows the events is let go", async () => {
      const { page, clock, close } = await startAdmin();
      const reader = visit(`${page}/events`, { headers: as("ada") });
      await reader.response;
      const begun = clock.now();
      let closed = false;
      const closing = close().then(() => (closed = true));
      await untilAsTimeGoes(clock, () => closed);
      await closing;
      expect(clock.now() - begun).toBeLessThan(DRAIN_MS);
      expect(await reader.rest()).toMatch(/^(: keep-alive\n\n)*$/);
    });
  });
}

function as(name: keyof typeof passwords): Readonly<Record<string, string>> {
  return { authorization: `Basic ${btoa(`${name}:${passwords[name]}`)}` };
}

/** Nothing is kept by anybody, framed by anybody, or runs what is not the page's own. */
function expectGuarded({ headers }: Response): void {
  expect(headers.get("cache-control")).toMatch(/\bno-store\b/);
  const policy = headers.get("content-security-policy");
  expect(policy).toMatch(/default-src 'none'/);
  expect(policy).toMatch(/frame-ancestors 'none'/);
  expect(policy).not.toMatch(/unsafe/);
}

/** The circuit lets calls through. */
async function expectClosed(ask: Rig["ask"], script: Rig["script"]): Promise<void> {
  const asked = ask("hello");
  (await script.next()).answer("ahoy");
  expect(await asked).toBe("ahoy");
}

/** A little of it with each turn: a server that goes waits for its clock and for its sockets. */
async function untilAsTimeGoes(clock: Rig["clock"], holds: () => boolean): Promise<void> {
  while (!holds()) {
    await clock.advance(20);
    await turn();
  }
}
