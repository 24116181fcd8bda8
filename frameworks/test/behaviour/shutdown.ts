import { describe, expect, test } from "vitest";

import { DRAIN_MS, type Framework } from "./framework.ts";
import { startRig } from "./rig.ts";
import { eventsOf, until, visit } from "./visit.ts";

/** How a server goes: what has begun is finished, nothing new begins, and it does not wait for ever. */
export function shutdown(framework: Framework): void {
  describe("a server that is shut down", () => {
    test("finishes the streams and answers that have begun, and takes nothing new", async () => {
      const { url, script, close, leaving } = await startRig(framework);
      const reader = visit(`${url}/events/hello`);
      const stream = (await script.next()).stream("one");
      expect(await reader.event()).toEqual({ data: "one" });
      const asked = visit(`${url}/json/hello`);
      const call = await script.next();

      let closed = false;
      const closing = close().then(() => (closed = true));
      await until(leaving);
      expect(await statusOrNobody(`${url}/json/late`)).toBe(503);
      expect(script.calls).toBe(2);
      expect(closed).toBe(false);

      call.answer({ said: "in time" });
      expect(JSON.parse(await asked.rest())).toEqual({ said: "in time" });
      stream.push("two");
      stream.end();
      expect(eventsOf(await reader.rest())).toEqual([{ data: "two" }, { data: "[DONE]" }]);
      await closing;
    });

    test("cuts what is left when its time is over", async () => {
      const { url, script, clock, close, leaving } = await startRig(framework);
      const reader = visit(`${url}/events/hello`);
      const stream = (await script.next()).stream("one");
      await reader.event();
      let closed = false;
      const closing = close().then(() => (closed = true));
      await until(leaving);
      const rest = reader.rest().then(eventsOf, () => "cut" as const);
      await clock.advance(DRAIN_MS - 1);
      expect([closed, stream.stopped]).toEqual([false, false]);
      await clock.advance(1);
      await until(() => stream.stopped);
      const last = await rest;
      if (last !== "cut") expect(last.at(-1)?.event).toBe("error");
      await clock.advance(1_000);
      await closing;
    });
  });
}

/** 503, also where nobody listens any more. */
async function statusOrNobody(url: string): Promise<number> {
  try {
    return (await fetch(url)).status;
  } catch {
    return 503;
  }
}
