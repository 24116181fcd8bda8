import { until, visit } from "@breakwater-internal/visitor";
import { bulkhead, circuitBreaker } from "@breakwater/core";
import { describe, expect, test } from "vitest";

import type { Framework } from "./framework.ts";
import { active, queued, startRig } from "./rig.ts";

/** Clients that do not wait for the end. That nothing is logged and nothing is left is what every rig looks after. */
export function leaving(framework: Framework): void {
  describe("a client that leaves", () => {
    test.each(["json", "events"])(
      "before its answer for %s ends the call, and gives its permits back",
      async (route) => {
        const [outer, inner] = [
          bulkhead({ name: "in", concurrency: 1 }),
          bulkhead({ name: "up", concurrency: 1 }),
        ];
        const { url, script } = await startRig(framework, { inbound: [outer], policies: [inner] });
        const client = visit(`${url}/limited/${route}`);
        const { call, answer } = await script.next();
        client.leave();
        await until(() => call.aborted);
        answer({ said: "nobody reads this" });
        await until(() => active(outer) + active(inner) === 0);
        const next = fetch(`${url}/limited/json`);
        (await script.next()).answer({ said: "free" });
        expect(await (await next).json()).toEqual({ said: "free" });
      },
    );

    test.each(["json", "events", "by-hand"])("before its answer for %s is told to nobody", async (route) => {
      const { url, script } = await startRig(framework);
      const client = visit(`${url}/${route}/hello`);
      const { call, fail } = await script.next();
      client.leave();
      await until(() => call.aborted);
      fail(new Error("nobody hears this"));
    });

    test("before its stream begins keeps nobody at work for it", async () => {
      const { url, script } = await startRig(framework);
      const client = visit(`${url}/events/hello`);
      const { call, stream: begin } = await script.next();
      client.leave();
      await until(() => call.aborted);
      const stream = begin("nobody reads this");
      await until(() => stream.stopped);
    });

    test.each(["with POST", "with GET"])(
      "in the middle of a stream ends it at once, also while it is silent, %s",
      async (how) => {
        const one = bulkhead({ name: "up", concurrency: 1 });
        const { url, script } = await startRig(framework, { policies: [one] });
        const client =
          how === "with GET"
            ? visit(`${url}/events/hello`)
            : visit(`${url}/events`, {
                method: "POST",
                headers: { "content-type": "application/json" },
                body: '{"text":"hello"}',
              });
        const { call, stream: begin } = await script.next();
        const stream = begin("one");
        expect(await client.event()).toEqual({ data: "one" });
        client.leave();
        await until(() => stream.stopped && active(one) === 0);
        expect(call.aborted).toBe(true);
      },
    );

    test.each(["in front of the route", "in front of the upstream"])(
      "a queue %s leaves it, and who is behind moves up",
      async (where) => {
        const one = bulkhead({ name: "one", concurrency: 1, queue: 2, maxWait: "1m" });
        const { url, script } = await startRig(
          framework,
          where === "in front of the route" ? { inbound: [one] } : { policies: [one] },
        );
        const first = fetch(`${url}/limited/json`);
        const running = await script.next();
        const second = visit(`${url}/limited/json`);
        await until(() => queued(one) === 1);
        const third = fetch(`${url}/limited/json`);
        await until(() => queued(one) === 2);
        second.leave();
        await until(() => queued(one) === 1);
        running.answer({ said: "first" });
        expect(await (await first).json()).toEqual({ said: "first" });
        (await script.next()).answer({ said: "third" });
        expect(await (await third).json()).toEqual({ said: "third" });
        expect(script.calls).toBe(2);
      },
    );

    test("in the middle of its own request asks nobody", async () => {
      const { url, script, connections } = await startRig(framework);
      const client = visit(`${url}/json`, {
        method: "POST",
        headers: { "content-type": "application/json", "content-length": "1000" },
        body: '{"text":',
        unfinished: true,
      });
      await until(() => connections() === 1);
      client.leave();
      await until(() => connections() === 0);
      expect(script.calls).toBe(0);
    });

    test("is nobody's fault: no circuit opens for it", async () => {
      const { url, script } = await startRig(framework, {
        policies: [circuitBreaker({ window: { calls: 2 }, minimumCalls: 2 })],
      });
      for (let n = 0; n < 4; n++) {
        const client = visit(`${url}/events/hello`);
        const { call, stream: begin } = await script.next();
        const stream = begin("one");
        await client.event();
        client.leave();
        await until(() => call.aborted && stream.stopped);
      }
      const asked = fetch(`${url}/json/hello`);
      (await script.next()).answer({ said: "well" });
      expect(await (await asked).json()).toEqual({ said: "well" });
    });
  });
}
