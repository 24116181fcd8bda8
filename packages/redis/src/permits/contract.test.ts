import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { permitStoreContract } from "@breakwater/testing";
import { Cluster, Redis } from "ioredis";
import * as ioredis5 from "ioredis5";
import { describe, it } from "vitest";

import { connected, type Process, startProcess } from "./process.test-help.ts";

const redis = useRedis();

describe.each([
  ["6", { Redis, Cluster }],
  ["5", { Redis: ioredis5.Redis, Cluster: ioredis5.Cluster }],
])("permits over ioredis %s", (_, library) => {
  it.each(
    permitStoreContract({
      create: () => connected(startProcess(redis.url, { library })),
      dispose: (store) => (store as Process).close(),
    }),
  )("$name", ({ run }) => run());
});
