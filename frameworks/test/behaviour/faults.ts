import { eventsOf } from "@breakwater-internal/visitor";
import { timeout, UpstreamError } from "@breakwater/core";
import { describe, expect, test } from "vitest";

import type { Framework } from "./framework.ts";
import { startRig } from "./rig.ts";
import { expectBroken, expectToldOf } from "./told.ts";

/** What goes wrong behind a route. */
export function faults(framework: Framework): void {
  describe.each(["json", "events", "by-hand"])("an upstream that is asked for %s", (route) => {
    test("and does not answer in time is a 504, and asked no longer", async () => {
      const { url, script, clock } = await startRig(framework, { policies: [timeout({ total: "2s" })] });
      const asked = fetch(`${url}/${route}/hello`);
      const call = await script.next();
      await clock.advance(2_000);
      await expectToldOf(route, framework, await asked, { status: 504, code: "TIMED_OUT" });
      expect(call.call.aborted).toBe(true);
      call.answer({ said: "too late" });
    });

    test.each([
      ["is overloaded", { code: "OVERLOADED", status: 503, retryable: true }, 502, "OVERLOADED", undefined],
      [
        "limits us",
        { code: "RATE_LIMIT", status: 429, retryable: true, retryAfterMs: 7_000 },
        503,
        "UPSTREAM_BUSY",
        7,
      ],
      [
        "refuses our key",
        { code: "AUTHENTICATION", status: 401, retryable: false },
        502,
        "UPSTREAM_FAILED",
        undefined,
      ],
    ])("and %s is told in our words", async (_, { code, ...options }, status, told, retryAfter) => {
      const { url, script } = await startRig(framework);
      const asked = fetch(`${url}/${route}/hello`);
      (await script.next()).fail(new UpstreamError(code, "the password is swordfish", options), {
        retryable: options.retryable,
      });
      await expectToldOf(route, framework, await asked, {
        status,
        code: told,
        ...(retryAfter !== undefined && { retryAfter }),
      });
    });

    test("and throws what is not ours leaves it to the framework, once and as it is", async () => {
      const { url, script, own, logged } = await startRig(framework);
      const asked = fetch(`${url}/${route}/hello`);
      (await script.next()).throw(own);
      expect((await asked).status).toBe(500);
      const seen = logged();
      expect(seen).toHaveLength(1);
      expect(seen[0]).toBe(own);
    });
  });

  describe("the framework's own errors", () => {
    test("are its own", async () => {
      const { url, own, logged } = await startRig(framework);
      const response = await fetch(`${url}/own`);
      expect(response.status).toBe(500);
      expect(response.headers.has("x-breakwater-code")).toBe(false);
      expect(logged()).toEqual([own]);
    });

    test("keep the status that they have", async () => {
      const { url, logged } = await startRig(framework);
      const response = await fetch(`${url}/teapot`);
      expect(response.status).toBe(418);
      expect(response.headers.has("x-breakwater-code")).toBe(false);
      logged();
    });
  });

  test("a clock that runs out in the middle of a stream is told inside it", async () => {
    const { url, script, clock } = await startRig(framework, { policies: [timeout({ idle: "10s" })] });
    const asked = fetch(`${url}/events/hello`);
    const stream = (await script.next()).stream("one");
    const response = await asked;
    await clock.advance(10_000);
    const events = eventsOf(await response.text());
    expect(events[0]).toEqual({ data: "one" });
    expectBroken(events, "TIMED_OUT");
    expect(stream.stopped).toBe(true);
  });
}
