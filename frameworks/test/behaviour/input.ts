import { post } from "@breakwater-internal/visitor";
import { describe, expect, test } from "vitest";

import type { Framework } from "./framework.ts";
import { startRig } from "./rig.ts";

/** What clients send, and should not. */
export function input(framework: Framework): void {
  describe.each(["json", "events"])("a mistake in what is sent to %s", (route) => {
    test.each<[string, RequestInit, number[]]>([
      ["malformed JSON", post('{"text":'), [400]],
      ["no body", { method: "POST" }, [400]],
      ["a body that is too large", post({ text: "x".repeat(3_000_000) }), [413]],
      // Nest on Express takes what its parser leaves alone for no body.
      [
        "another type of body",
        { method: "POST", body: "hello", headers: { "content-type": "text/plain" } },
        [400, 415],
      ],
    ])("%s is the client's, and the server goes on", async (_, init, statuses) => {
      const { url, script, logged } = await startRig(framework);
      const response = await fetch(`${url}/${route}`, init);
      expect(statuses).toContain(response.status);
      const body = (await response.json()) as Record<string, unknown>;
      const status = framework.shape === "problem" ? body["status"] : body["statusCode"];
      expect(status).toBe(response.status);
      expect(logged()).toEqual([]);
      expect(script.calls).toBe(0);

      const good = fetch(`${url}/json`, post({ text: "hello" }));
      (await script.next()).answer({ said: "well" });
      expect(await (await good).json()).toEqual({ said: "well" });
    });
  });
}
