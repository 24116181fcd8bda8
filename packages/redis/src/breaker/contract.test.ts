import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { breakerStoreContract } from "@breakwater/testing";
import * as six from "ioredis";
import * as five from "ioredis5";
import { describe, it } from "vitest";

import { joinFleet, type Member } from "./fleet.test-help.ts";

const redis = useRedis();

describe.concurrent.each([
  ["ioredis 6", six],
  ["ioredis 5", five],
])("the breaker store over Redis with %s", (_name, library) => {
  const cases = breakerStoreContract({
    create: () => joinFleet(redis.url, { library }),
    // Node's timers are early by up to a millisecond.
    advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms + 2)),
    dispose: (store) => (store as Member).close(),
    slackMs: 400,
  });
  it.each(cases)("$name", ({ run }) => run(), 30_000);
});
