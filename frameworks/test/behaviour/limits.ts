import { eventsOf, oneConnection, until, visit } from "@breakwater-internal/visitor";
import { bulkhead, circuitBreaker, rateLimit, UpstreamError } from "@breakwater/core";
import { describe, expect, test } from "vitest";

import type { Framework, Incoming } from "./framework.ts";
import { active, queued, startRig } from "./rig.ts";
import { expectTold, expectToldOf } from "./told.ts";

/** What is refused before anybody is asked. */
export function limits(framework: Framework): void {
  describe("in front of a route", () => {
    const byTeam = () =>
      rateLimit<Incoming>({
        name: "by-team",
        key: ({ headers }) => headers["x-team"] as string,
        limits: { requests: { limit: 1, per: "1m" } },
      });

    test("a rate limit says how long to wait, to each its own, and the connection stays", async () => {
      const { url, script } = await startRig(framework, { inbound: [byTeam()] });
      const agent = oneConnection();
      const ask = (team: string) => visit(`${url}/limited/json`, { agent, headers: { "x-team": team } });
      const first = ask("red");
      (await script.next()).answer({ said: "in" });
      expect(JSON.parse(await first.rest())).toEqual({ said: "in" });

      const refused = ask("red");
      const response = await refused.fetched();
      expect(response.headers.get("ratelimit")).toMatch(/^"by-team";r=0;t=60$/);
      await expectTold(framework, response, { status: 429, code: "RATE_LIMITED", retryAfter: 60 });
      expect(script.calls).toBe(1);

      const other = ask("blue");
      (await script.next()).answer({ said: "in, too" });
      expect(JSON.parse(await other.rest())).toEqual({ said: "in, too" });
      expect(other.reused()).toBe(true);
      agent.destroy();
    });

    test.each(["json", "events"])("a bulkhead counts %s to the last byte", async (route) => {
      const one = bulkhead({ name: "in", concurrency: 1 });
      const { url, script } = await startRig(framework, { inbound: [one] });
      const first = visit(`${url}/limited/${route}`);
      const call = await script.next();
      const stream = route === "events" ? call.stream("one") : undefined;
      if (stream !== undefined) expect(await first.event()).toEqual({ data: "one" });
      await expectTold(framework, await fetch(`${url}/limited/json`), {
        status: 503,
        code: "BULKHEAD_FULL",
        retryAfter: 1,
      });
      expect(script.calls).toBe(1);
      if (stream === undefined) call.answer({ said: "done" });
      else stream.end();
      await first.rest();
      await until(() => queued(one) === 0 && active(one) === 0);
      const next = fetch(`${url}/limited/json`);
      (await script.next()).answer({ said: "in" });
      expect(await (await next).json()).toEqual({ said: "in" });
    });

    test("a request waits for its turn where there is a queue", async () => {
      const one = bulkhead({ name: "in", concurrency: 1, queue: 1, maxWait: "1m" });
      const { url, script } = await startRig(framework, { inbound: [one] });
      const first = fetch(`${url}/limited/json`);
      const call = await script.next();
      const second = fetch(`${url}/limited/json`);
      await until(() => queued(one) === 1);
      expect(script.calls).toBe(1);
      call.answer({ said: 1 });
      expect(await (await first).json()).toEqual({ said: 1 });
      (await script.next()).answer({ said: 2 });
      expect(await (await second).json()).toEqual({ said: 2 });
    });
  });

  describe("in front of an upstream", () => {
    test("no refusal and no fault costs a client its connection", async () => {
      const one = bulkhead({ name: "upstream", concurrency: 1 });
      const { url, script } = await startRig(framework, { policies: [one] });
      const agent = oneConnection();
      const get = async (route: string) => {
        const asked = visit(`${url}/${route}/hello`, { agent });
        const { status } = await asked.fetched();
        return { status, reused: asked.reused() };
      };
      const holder = fetch(`${url}/json/holder`);
      const held = await script.next();
      expect(await get("json")).toEqual({ status: 503, reused: false });
      expect(await get("by-hand")).toEqual({ status: 503, reused: true });
      held.answer({ said: "done" });
      await holder;

      const failing = get("json");
      (await script.next()).fail(new UpstreamError("OVERLOADED", "busy", { status: 503, retryable: true }));
      expect(await failing).toEqual({ status: 502, reused: true });
      const well = get("json");
      (await script.next()).answer({ said: "well" });
      expect(await well).toEqual({ status: 200, reused: true });
      agent.destroy();
    });

    test.each(["json", "events", "by-hand"])("a full bulkhead is a 503, also to %s", async (route) => {
      const { url, script } = await startRig(framework, {
        policies: [bulkhead({ name: "upstream", concurrency: 1 })],
      });
      const first = visit(`${url}/events/one`);
      const stream = (await script.next()).stream("one");
      await first.event();
      await expectToldOf(route, framework, await fetch(`${url}/${route}/two`), {
        status: 503,
        code: "BULKHEAD_FULL",
        retryAfter: 1,
      });
      stream.end();
      await first.rest();
      expect(script.calls).toBe(1);
    });

    test.each(["json", "events", "by-hand"])(
      "an open circuit is a 503 without a question, also to %s",
      async (route) => {
        const { url, script, clock } = await startRig(framework, {
          policies: [circuitBreaker({ window: { calls: 2 }, minimumCalls: 2, openFor: "5s" })],
        });
        for (let failures = 0; failures < 2; failures++) {
          const asked = fetch(`${url}/json/hello`);
          (await script.next()).fail(
            new UpstreamError("OVERLOADED", "swordfish", { status: 503, retryable: true }),
          );
          expect((await asked).status).toBe(502);
        }
        await expectToldOf(route, framework, await fetch(`${url}/${route}/hello`), {
          status: 503,
          code: "CIRCUIT_OPEN",
          retryAfter: 5,
        });
        expect(script.calls).toBe(2);

        await clock.advance(5_000);
        const asked = fetch(`${url}/events/hello`);
        (await script.next()).stream("well again").end();
        expect(eventsOf(await (await asked).text())[0]).toEqual({ data: "well again" });
      },
    );
  });
}
