import {
  type Admission,
  type BreakerAsk,
  bulkhead,
  circuitBreaker,
  createPipeline,
  type MaybePromise,
  type PermitAsk,
  type PermitReply,
  type Policy,
  rateLimit,
  type RateLimitAsk,
  type RateLimitReply,
} from "@breakwater/core";
import { type RedisStore, redisStore } from "@breakwater/redis";

import { ANSWER, noop } from "../subject.ts";
import { accountOf, CONCURRENCY, LIMIT, PER_MS } from "./sides.ts";
import type { RedisSubject, RedisSubjects } from "./subject.ts";

const limits = { requests: { limit: LIMIT, per: PER_MS } };
const breaker = (store: RedisStore): Policy => circuitBreaker({ name: "breaker", store });
const limit = (store: RedisStore): Policy =>
  rateLimit({ name: "limit", store, limits, key: (_, call) => call.tenant });
const permits = (store: RedisStore): Policy =>
  bulkhead({ name: "bulkhead", store, concurrency: CONCURRENCY });

/** A decision that takes a second on a busy machine is no decision by this process alone. */
async function connected(url: string): Promise<RedisStore> {
  const store = redisStore({ url, decisionTimeout: "5s", scope: "bench" });
  while (!store.status().up) await new Promise((resolve) => setTimeout(resolve, 5));
  return store;
}

function through(stores: readonly RedisStore[], ...policies: readonly Policy[]): RedisSubject {
  const guarded = createPipeline(...policies);
  const byRedis = (): boolean => guarded.snapshot().policies.every(({ source }) => source === "store");
  return {
    async call(n) {
      return (await guarded.execute(noop, { tenant: accountOf(n) })) === ANSWER && (n > 0 || byRedis());
    },
    close: async () => void (await Promise.all(stores.map((store) => store.close()))),
  };
}

const CONFIG: BreakerAsk["config"] = {
  window: { ms: 30_000 },
  failureRate: 0.5,
  slowRate: 1,
  minimumCalls: 20,
  openForMs: 5_000,
  maxOpenForMs: 60_000,
  probes: 1,
  probeLeaseMs: 60_000,
  rampMs: 0,
};
const RULES: RateLimitAsk["limits"] = {
  requests: { algorithm: "gcra", limit: LIMIT, perMs: PER_MS, burst: LIMIT },
};
const COST: RateLimitAsk["cost"] = { requests: 1, tokens: 0 };

/** As the policies write them. */
function asksOf(call: number): readonly [BreakerAsk, RateLimitAsk, PermitAsk] {
  const now = performance.now();
  const key = accountOf(call);
  return [
    { kind: "breaker", name: "breaker", key: "", config: CONFIG, now, random: 0, version: 0 },
    { kind: "rate-limit", name: "limit", key, limits: RULES, cost: COST, now, version: 0 },
    { kind: "permit", name: "bulkhead", key: "", limit: CONCURRENCY, version: 0 },
  ];
}

export const subjects: RedisSubjects = {
  async one(url) {
    const store = await connected(url);
    return through([store], limit(store));
  },

  async three(url) {
    const store = await connected(url);
    return through([store], breaker(store), limit(store), permits(store));
  },

  // A store of its own for each: nothing is decided together.
  async split(url) {
    const [one, other, third] = [await connected(url), await connected(url), await connected(url)];
    return through([one, other, third], breaker(one), limit(other), permits(third));
  },

  // What a pipeline asks, and neither a pipeline nor what becomes of the call: the permit is kept, as by a call that takes
  // longer than the benchmark.
  async admission(url) {
    const store = await connected(url);
    const decideAll = store.decideAll as (asks: readonly unknown[]) => MaybePromise<readonly unknown[]>;
    return {
      async call(n) {
        const replies = await decideAll(asksOf(n));
        const [admission, rate, permit] = replies as readonly [Admission, RateLimitReply, PermitReply];
        return "ticket" in admission && rate.admitted && permit.granted && permit.source === "store";
      },
      close: () => store.close(),
    };
  },
};
