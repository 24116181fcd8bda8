import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { createPipeline, type Pipeline, rateLimit } from "@breakwater/core";
import { describe, expect, it } from "vitest";

import { connected, holder, newScope, until } from "./outage.test-help.ts";

const redis = useRedis();

describe("when Redis comes back with nothing in it", () => {
  it("what was used up stays used up: no burst, neither while it is away nor after", async () => {
    const scope = newScope();
    const stores = [await connected(redis.url, scope), await connected(redis.url, scope)];
    const guarded = stores.map((store) =>
      createPipeline(rateLimit({ name: "account", store, limits: { requests: { limit: 40, per: "1h" } } })),
    );
    let admitted = 0;
    const ask = async (): Promise<void> => {
      for (const one of guarded) if ((await one.outcome(() => 0)).status === "answered") admitted++;
    };
    for (let i = 0; i < 30; i++) await ask();
    expect(admitted).toBe(40);

    for (let flap = 0; flap < 3; flap++) {
      await redis.server.kill();
      await until(async () => {
        await ask();
        return stores.every((store) => !store.status().up);
      });
      for (let i = 0; i < 30; i++) await ask();
      await redis.server.restart();
      await until(async () => {
        await ask();
        return stores.every((store) => store.status().up && store.status().learning);
      });
      await until(async () => {
        await ask();
        return stores.every((store) => store.status().up && !store.status().learning);
      });
      for (let i = 0; i < 30; i++) await ask();
    }
    // 40 in an hour is one in 90 seconds, and each process may take that one for its share.
    expect(admitted).toBeLessThanOrEqual(40 + 2);
  });

  it("permits that are out are counted before others are given", async () => {
    const scope = newScope();
    const [a, b] = [await connected(redis.url, scope), await connected(redis.url, scope)];
    const [first, second] = [holder(a, 4), holder(b, 4)];
    for (const one of [first, second, first, second]) expect(await one.hold()).toBe(true);
    // Who came first knows of the other from its next beat on; until then it takes itself for the only one.
    await until(() => a.status().instances === 2 && b.status().instances === 2);
    expect([await first.hold(), await second.hold()]).toEqual([false, false]);

    await redis.server.kill();
    await until(() => !a.status().up && !b.status().up);
    expect([await first.hold(), await second.hold()]).toEqual([false, false]);
    await redis.server.restart();
    // While all learn, and when it decides again.
    await until(async () => {
      expect([await first.hold(), await second.hold()]).toEqual([false, false]);
      return [a, b].every((store) => store.status().up && !store.status().learning);
    });
    await until(async () => {
      expect([await first.hold(), await second.hold()]).toEqual([false, false]);
      return first.source() === "store" && second.source() === "store";
    });
    await first.end();
    await until(() => second.hold());
    await second.end();
  });
});

it("a Redis that was flushed while everybody was connected is noticed at the next heartbeat", async () => {
  const scope = newScope();
  const stores = [await connected(redis.url, scope), await connected(redis.url, scope)];
  const guarded = stores.map((store) =>
    createPipeline(rateLimit({ name: "account", store, limits: { requests: { limit: 10, per: "1h" } } })),
  );
  const [first, second] = guarded as [Pipeline, Pipeline];
  for (let i = 0; i < 10; i++) expect((await first.outcome(() => 0)).status).toBe("answered");
  expect((await second.outcome(() => 0)).status).toBe("refused");
  await redis.cli("FLUSHALL");
  await until(() => stores.every((store) => store.status().learning));
  expect((await second.outcome(() => 0)).status).toBe("refused");
  expect((await first.outcome(() => 0)).status).toBe("refused");
});
