import { UpstreamError } from "@breakwater/core";
import { describe, expect, test } from "vitest";

import type { Framework } from "./framework.ts";
import { startRig } from "./rig.ts";

/** What Prometheus reads. */
export function metrics(framework: Framework): void {
  describe.each([
    ["at the root", ""],
    ["below a prefix", "/api"],
  ])("metrics %s", (_, prefix) => {
    test("are those of all clients, as Prometheus reads them", async () => {
      const { url, ask, script } = await startRig(framework, { operators: prefix });
      const answered = ask("hello");
      (await script.next()).answer("ahoy");
      await answered;
      const failed = ask.outcome("hello");
      (await script.next()).fail(
        new UpstreamError("OVERLOADED", "swordfish", { status: 503, retryable: true }),
      );
      await failed;

      const response = await fetch(`${url}${prefix}/metrics`);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toMatch(
        /^text\/plain; ?(version=0\.0\.4; ?charset=utf-8|charset=utf-8; ?version=0\.0\.4)$/,
      );
      const lines = (await response.text()).split("\n");
      expect(lines).toContain("# TYPE breakwater_calls_total counter");
      const counted = lines.filter((line) =>
        /^breakwater_calls_total\{client="(ask|deepseek)".* [1-9]/.test(line),
      );
      expect(counted).toEqual([
        'breakwater_calls_total{client="ask",outcome="answered",kind="fresh"} 1',
        'breakwater_calls_total{client="ask",outcome="failed",kind="upstream"} 1',
      ]);
      // Also of the client that was not asked.
      expect(lines).toContain('breakwater_calls_total{client="deepseek",outcome="failed",kind="upstream"} 0');
      expect(lines).toContain('breakwater_calls_in_flight{client="deepseek"} 0');
    });
  });
}
