import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { bulkhead, createPipeline, rateLimit } from "@breakwater/core";
import { expect, it, onTestFinished } from "vitest";

import { redisStore } from "../index.ts";

const redis = useRedis();

it("a process that starts waits for its connection, and is not refused meanwhile", async () => {
  const store = redisStore({ url: redis.url, scope: "first" });
  onTestFinished(() => store.close());
  const guarded = createPipeline(
    rateLimit({ name: "account", store, limits: { requests: { limit: 10, per: "1h" } } }),
    bulkhead({ name: "account", store, concurrency: 10 }),
  );
  expect(store.status().up).toBe(false);
  const outcomes = await Promise.all(Array.from({ length: 10 }, async () => guarded.outcome(() => "served")));
  expect(outcomes.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => "answered"));
  expect(guarded.snapshot().policies.map(({ source }) => source)).toEqual(["store", "store"]);
});

it("one that starts without Redis goes by its share, after a moment", async () => {
  const store = redisStore({ url: "redis://127.0.0.1:1", scope: "alone" });
  onTestFinished(() => store.close());
  const guarded = createPipeline(bulkhead({ name: "account", store, concurrency: 10 }));
  expect(await guarded.outcome(() => "served")).toMatchObject({ status: "answered" });
  expect(guarded.snapshot().policies[0]?.source).toBe("local");
  expect(store.status()).toMatchObject({ up: false, instances: 1 });
  // Nobody waits a second time.
  expect(guarded.outcome(() => "at once")).not.toBeInstanceOf(Promise);
});

it("one that was connected waits no more: an outage is not a start", async () => {
  const store = redisStore({ url: redis.url, scope: "later" });
  onTestFinished(() => store.close());
  const guarded = createPipeline(bulkhead({ name: "account", store, concurrency: 10 }));
  while (!store.status().up) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(await guarded.outcome(() => "served")).toMatchObject({ status: "answered" });
  await redis.server.kill();
  while (store.status().up) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(guarded.outcome(() => "at once")).not.toBeInstanceOf(Promise);
  await redis.server.restart();
});
