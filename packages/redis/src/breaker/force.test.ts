// What is done by hand, where replies are late.
import { setTimeout as pause } from "node:timers/promises";

import { startProxy } from "@breakwater-internal/redis-server";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { circuitBreaker, createPipeline } from "@breakwater/core";
import { expect, it, onTestFinished } from "vitest";

import { redisStore } from "../store.ts";
import { newScope } from "./fleet.test-help.ts";

const redis = useRedis();

it("what was done last holds, though what was done before is told twice", async () => {
  const proxy = await startProxy(redis.port);
  onTestFinished(() => proxy.close());
  const store = redisStore({ url: proxy.url, scope: newScope(), decisionTimeout: 300 });
  onTestFinished(() => store.close());
  const breaker = circuitBreaker({ name: "upstream", store });
  const guarded = createPipeline(breaker);
  await expect.poll(() => store.status().up).toBe(true);
  await guarded.execute(() => "well");
  await breaker.force("closed"); // the server knows the script from here on

  proxy.stall(true);
  const held = breaker.force("open");
  await pause(200);
  const givenBack = breaker.force(undefined);
  await pause(150); // the first one is late by now, and the second is not
  proxy.stall(false);
  await Promise.all([held, givenBack]);
  await expect.poll(() => guarded.outcome(() => "again")).toMatchObject({ status: "answered" });
  expect(breaker.snapshot?.()).toMatchObject({ "": { status: "closed" } });
});
