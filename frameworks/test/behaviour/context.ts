import { describe, expect, test } from "vitest";

import type { Framework } from "./framework.ts";
import { startRig } from "./rig.ts";
import { expectToldOf } from "./told.ts";

/** What a call knows of the request that it is made for. */
export function context(framework: Framework): void {
  describe.each(["json", "events"])("a call for %s", (route) => {
    test("has the request's id, and the response says it", async () => {
      const { url, script } = await startRig(framework);
      const asked = fetch(`${url}/${route}/hello`, { headers: { "x-request-id": "r-1" } });
      const { call, answer, stream } = await script.next();
      expect(call.id).toBe("r-1");
      if (route === "json") answer({ said: "hello" });
      else stream("hello").end();
      const response = await asked;
      expect(response.headers.get("x-breakwater-call-id")).toBe("r-1");
      await response.text();
    });

    test("has an id of its own where the request's would do harm", async () => {
      const { url, script } = await startRig(framework);
      const asked = fetch(`${url}/${route}/hello`, { headers: { "x-request-id": "a b;<script>" } });
      const { call, answer, stream } = await script.next();
      expect(call.id).toMatch(/^[\w-]+$/);
      if (route === "json") answer({ said: "hello" });
      else stream("hello").end();
      const response = await asked;
      expect(response.headers.get("x-breakwater-call-id")).toBe(call.id);
      await response.text();
    });

    test("ends when the time is over that the request gives it", async () => {
      const { url, script, clock } = await startRig(framework);
      const asked = fetch(`${url}/${route}/hello`, { headers: { "x-request-timeout": "3000" } });
      const { call, answer } = await script.next();
      await clock.advance(2_999);
      expect(call.aborted).toBe(false);
      await clock.advance(1);
      expect(call.aborted).toBe(true);
      await expectToldOf(route, framework, await asked, { status: 504, code: "TIMED_OUT" });
      answer({ said: "too late" });
    });
  });

  test("calls of requests at the same time are told apart", async () => {
    const { url, script } = await startRig(framework);
    const ids = Array.from({ length: 20 }, (_, n) => `r-${n}`);
    const asked = ids.map(async (id) => {
      const response = await fetch(`${url}/json/${id}`, { headers: { "x-request-id": id } });
      return { answer: await response.json(), id: response.headers.get("x-breakwater-call-id") };
    });
    for (const _ of ids) {
      const { call, request, answer } = await script.next();
      answer({ request, id: call.id });
    }
    expect(await Promise.all(asked)).toEqual(ids.map((id) => ({ id, answer: { request: id, id } })));
  });
}
