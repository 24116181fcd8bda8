import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { createPipeline, type Pipeline, rateLimit } from "@breakwater/core";
import { expect, it } from "vitest";

import { connected, newScope, until } from "./outage.test-help.ts";

const redis = useRedis();

it("a store tells each process once that another has other numbers, and goes by the lower ones", async () => {
  const scope = newScope();
  const mismatches: unknown[] = [];
  const pipelines = [];
  for (const limit of [3, 2]) {
    const limited = createPipeline(
      rateLimit({
        name: "account",
        store: await connected(redis.url, scope),
        limits: { requests: { limit, per: "1h" } },
      }),
    );
    limited.on((event) => {
      if (event.type === "config-mismatch") mismatches.push([event.policy, limit, event.ours, event.holds]);
    });
    pipelines.push(limited);
  }
  const [three, two] = pipelines as [Pipeline, Pipeline];
  for (const one of [three, two, two]) expect((await one.outcome(() => 0)).status).toBe("answered");
  // What was left stays left: two of three, and then none.
  await until(async () => {
    expect((await two.outcome(() => 0)).status).toBe("refused");
    expect((await three.outcome(() => 0)).status).toBe("refused");
    return mismatches.length >= 2;
  });
  const rule = (limit: number): object => ({
    requests: { algorithm: "gcra", limit, perMs: 3_600_000, burst: limit },
  });
  expect(mismatches).toEqual([
    ["account", 2, rule(2), rule(2)],
    ["account", 3, rule(3), rule(2)],
  ]);
});
