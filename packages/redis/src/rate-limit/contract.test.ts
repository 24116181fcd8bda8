import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { rateLimitStoreContract } from "@breakwater/testing";
import { Cluster, Redis } from "ioredis";
import { Cluster as Cluster5, Redis as Redis5 } from "ioredis5";
import { describe, test } from "vitest";

import { type Process, startProcess } from "./lab.test-help.ts";

const redis = useRedis();
const libraries = [
  { major: "ioredis 6", library: { Cluster, Redis } },
  { major: "ioredis 5", library: { Cluster: Cluster5, Redis: Redis5 } },
];

describe.each(libraries)("rate limits over $major", ({ library }) => {
  const cases = rateLimitStoreContract({
    create: () => startProcess(redis.url, { library }),
    dispose: (store) => (store as Process).close(),
    advance: (ms) => new Promise((resolve) => setTimeout(resolve, Math.ceil(ms))),
    // What the cases do between two looks takes some ms; the longest of them asks a thousand times.
    slackMs: 250,
  });
  test.concurrent.each(cases)("$name", ({ run }) => run());
});
