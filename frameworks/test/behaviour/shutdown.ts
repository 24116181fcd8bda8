import { eventsOf, until, visit } from "@breakwater-internal/visitor";
import { describe, expect, test } from "vitest";

import { DRAIN_MS, type Framework } from "./framework.ts";
import { startRig } from "./rig.ts";
import { expectBroken, expectTold } from "./told.ts";

/** How a server goes: what has begun is finished, nothing new begins, and it does not wait for ever. */
export function shutdown(framework: Framework): void {
  describe("a server that is shut down", () => {
    test("finishes the streams and answers that have begun, and takes nothing new", async () => {
      const { url, script, clock, close } = await startRig(framework);
      const reader = visit(`${url}/events/hello`);
      const stream = (await script.next()).stream("one");
      expect(await reader.event()).toEqual({ data: "one" });
      const asked = visit(`${url}/json/hello`);
      const call = await script.next();

      let closed = false;
      const closing = close().then(() => (closed = true));
      await refused(url);
      expect(script.calls).toBe(2);
      await clock.advance(DRAIN_MS - 1);
      expect(closed).toBe(false);
      call.answer({ said: "in time" });
      expect(JSON.parse(await asked.rest())).toEqual({ said: "in time" });
      stream.push("two");
      stream.end();
      expect(eventsOf(await reader.rest())).toEqual([{ data: "two" }, { data: "[DONE]" }]);
      await closing;
    });

    test("cuts what is left when its time is over, and says so", async () => {
      const { url, script, clock, close } = await startRig(framework);
      const reader = visit(`${url}/events/hello`);
      const stream = (await script.next()).stream("one");
      await reader.event();
      const asked = visit(`${url}/json/hello`);
      const { call, answer } = await script.next();
      let closed = false;
      const closing = close().then(() => (closed = true));
      await refused(url);
      await clock.advance(DRAIN_MS - 1);
      expect([closed, stream.stopped, call.aborted]).toEqual([false, false, false]);
      await clock.advance(1);
      await until(() => stream.stopped && call.aborted);
      expectBroken(eventsOf(await reader.rest()), "DRAINING");
      await expectTold(framework, await asked.fetched(), { status: 503, code: "DRAINING", retryAfter: 1 });
      answer("too late");
      await clock.advance(1_000);
      await closing;
    });
  });
}

/** Asks until requests are refused: with a 503, or because nobody listens any more. */
async function refused(url: string): Promise<void> {
  for (let status = 0; status !== 503;)
    status = await fetch(`${url}/teapot`).then(
      (response) => response.status,
      () => 503,
    );
}
