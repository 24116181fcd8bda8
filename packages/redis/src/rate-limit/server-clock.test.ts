import { useRedis } from "@breakwater-internal/redis-server/vitest";
import type { RateLimitAsk, RateRule } from "@breakwater/core";
import { expect, onTestFinished, test } from "vitest";

import { startProcess } from "./lab.test-help.ts";

/** The real clock of a real server, with what Redis itself makes of it: keys end by it. */

const redis = useRedis({ faketime: true });
const SPAN = 30 * 60_000;

test.each([
  {
    name: "token bucket",
    rule: { algorithm: "gcra", limit: 10, perMs: SPAN, burst: 10 },
    soonMs: SPAN / 10,
  },
  { name: "window", rule: { algorithm: "window", limit: 10, perMs: SPAN, burst: 10 }, soonMs: SPAN },
] as const satisfies readonly { readonly rule: RateRule; readonly [more: string]: unknown }[])(
  "$name: a server whose clock is set by an hour, to and fro, gives all of a limit once, and nobody waits for an hour",
  async ({ rule, soonMs }) => {
    const store = await startProcess(redis.url);
    onTestFinished(() => store.close());
    const ask: RateLimitAsk = {
      kind: "rate-limit",
      name: "r",
      key: "",
      limits: { requests: rule },
      cost: { requests: 1, tokens: 0 },
      now: 0,
    };
    const passes = async (): Promise<readonly [number, number]> => {
      const replies = await Promise.all(Array.from({ length: 30 }, async () => store.decide(ask)));
      const admitted = replies.filter((reply) => reply.admitted).length;
      for (const reply of replies) expect(reply.source).toBe("store");
      return [admitted, Math.max(...replies.map(({ retryAfterMs }) => retryAfterMs))];
    };
    expect((await passes())[0]).toBe(10);
    for (const [clock, most] of [
      ["-1h", 0],
      ["-2h", 0],
      ["+0", 10], // for the server it is two hours later
      ["+1h", 10],
      ["+0", 0],
      ["-1h", 0],
    ] as const) {
      await redis.server.setClock(clock);
      const [admitted, wait] = await passes();
      expect({ clock, admitted }).toEqual({ clock, admitted: most });
      expect(wait).toBeLessThanOrEqual(soonMs);
    }
  },
);
