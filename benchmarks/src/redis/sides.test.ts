import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { expect, test } from "vitest";

import { load } from "./load.ts";
import { setUp } from "./set-up.ts";
import { REDIS_SIDES } from "./sides.ts";

const redis = useRedis();

test.each(REDIS_SIDES)("$label admits by Redis, again and again, and with many at once", async ({ name }) => {
  await redis.cli("FLUSHALL");
  const subject = await setUp(name, redis.url);
  try {
    for (let n = 0; n < 3; n++) expect(await subject.call(n)).toBe(true);
    const { calls, cpu, p50, p99 } = await load(subject, 8, 30);
    expect(calls).toBeGreaterThan(0);
    expect(cpu).toBeGreaterThan(0);
    expect(p99).toBeGreaterThanOrEqual(p50);
    expect(await subject.call(0)).toBe(true);
  } finally {
    await subject.close();
  }
});
