import { setTimeout as pause } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { createPipeline, rateLimit } from "@breakwater/core";
import { expect, it, onTestFinished } from "vitest";

import { redisStore } from "../src/index.ts";

const redis = useRedis();

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const MB = 1024 * 1024;
/** Guards that are decided in one round trip, each by a key of its own: a million keys need not be a million trips. */
const GUARDS = 12;
const KEYS = 1_000_000;
const IN_FLIGHT = 128;

/** A key is of no interest to anybody once its limit is there again: a tenth of a second after its only call. */
const LIMITS = { requests: { limit: 10, per: "1s" } } as const;

async function heap(): Promise<number> {
  collect();
  await pause(1); // what a collection has found to be garbage may be let go by a second one
  collect();
  return process.memoryUsage().heapUsed;
}

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

async function server(): Promise<{ readonly keys: number; readonly bytes: number }> {
  const bytes = /^used_memory:(\d+)/m.exec(String(await redis.cli("INFO", "memory")))?.[1];
  return { keys: Number(await redis.cli("DBSIZE")), bytes: Number(bytes) };
}

it(
  "a million keys that come and go leave nothing behind, here or in Redis",
  { timeout: 180_000 },
  async () => {
    const store = redisStore({ url: redis.url, scope: "churn", decisionTimeout: "5s" });
    onTestFinished(() => store.close());
    const guarded = createPipeline(
      ...Array.from({ length: GUARDS }, (_, n) =>
        rateLimit({ name: `limit-${n}`, store, limits: LIMITS, key: (_request, call) => call.tenant }),
      ),
    );
    let calls = 0;
    const lane = async (until: number): Promise<void> => {
      while (calls < until) await guarded.execute(() => undefined, { tenant: `somebody-${calls++}` });
    };
    const lanes = (until: number): Promise<unknown> =>
      Promise.all(Array.from({ length: IN_FLIGHT }, () => lane(until)));

    await lanes(2_000); // what is remembered of the latest keys is full
    const before = { heap: await heap(), timers: timers(), server: await server() };
    const most = { heap: 0, timers: 0, keys: 0, bytes: 0 };
    const whole = Math.ceil(KEYS / GUARDS);
    for (let part = 1; part <= 8; part++) {
      await lanes(2_000 + Math.ceil((whole * part) / 8));
      const { keys, bytes } = await server();
      most.keys = Math.max(most.keys, keys);
      most.bytes = Math.max(most.bytes, bytes - before.server.bytes);
      most.timers = Math.max(most.timers, timers());
      most.heap = Math.max(most.heap, (await heap()) - before.heap);
    }

    expect(guarded.snapshot().policies.every(({ source }) => source === "store")).toBe(true);
    expect(calls * GUARDS).toBeGreaterThanOrEqual(KEYS);
    expect(most.heap).toBeLessThan(8 * MB);
    expect(most.timers).toBeLessThanOrEqual(before.timers + 4);
    // Redis looks for what has expired by and by, so some of it is still there.
    expect(most.keys).toBeLessThan(KEYS / 8);
    expect(most.bytes).toBeLessThan(32 * MB);
    for (let turn = 0; turn < 600 && (await server()).keys > 10; turn++) await pause(50);
    const after = await server();
    expect(after.keys).toBeLessThanOrEqual(10);
    expect(after.bytes - before.server.bytes).toBeLessThan(8 * MB);
  },
);
