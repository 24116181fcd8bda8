import { useRedis } from "@breakwater-internal/redis-server/vitest";
import type { RateLimitReply, RateLimitStore } from "@breakwater/core";
import { rateLimitStoreContract } from "@breakwater/testing";
import { Cluster, Redis } from "ioredis";
import { Cluster as Cluster5, Redis as Redis5 } from "ioredis5";
import { describe, test } from "vitest";

import { type Lab, openLab, type Process, startProcess, YEAR_2100 } from "./lab.test-help.ts";

const redis = useRedis();
const libraries = [
  { major: "ioredis 6", library: { Cluster, Redis } },
  { major: "ioredis 5", library: { Cluster: Cluster5, Redis: Redis5 } },
];

describe.each(libraries)("rate limits over $major, on the server's clock", ({ library }) => {
  const cases = rateLimitStoreContract({
    create: () => startProcess(redis.url, { library }),
    dispose: (store) => (store as Process).close(),
    advance: (ms) => new Promise((resolve) => setTimeout(resolve, Math.ceil(ms))),
    // More would be half of what a case waits for.
    slackMs: 300,
  });
  const crowds = cases.filter(({ name }) => name.includes("1000"));
  test.each(crowds)("$name", ({ run }) => run());
  // A machine that stands still for longer is not to be told from a limit that is wrong, so it is tried again. To the ms
  // it is tried below, on a clock that waits for everybody.
  const others = cases.filter((one) => !crowds.includes(one));
  test.concurrent.each(others)("$name", { retry: 2 }, ({ run }) => run());
});

describe.each(libraries)("rate limits over $major, on a clock in the hand", ({ library }) => {
  let lab: Lab;
  let passed = 0;
  const cases = rateLimitStoreContract({
    async create() {
      lab = await openLab(redis.url, library);
      passed = 0;
      return storeOf(lab);
    },
    dispose: () => lab.close(),
    advance(ms) {
      passed += ms;
      lab.now = YEAR_2100 + Math.floor(passed * 1_000);
    },
  });
  test.each(cases)("$name", ({ run }) => run());
});

function storeOf(lab: Lab): RateLimitStore {
  return {
    decide: async (ask) => (await lab.decide(ask))[0] as RateLimitReply,
    decideAll: (asks) => lab.decide(...asks),
    settle: lab.settle,
    remaining: () => ({}),
  };
}
