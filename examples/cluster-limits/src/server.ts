import { bulkhead, circuitBreaker, type Client, createClient, rateLimit } from "@breakwater/core";
import { type ChatAnswer, type ChatRequest, deepseekUpstream } from "@breakwater/deepseek";
import { type RedisStore, redisStore } from "@breakwater/redis";

import { LEASE_MS, LIMITS, PROCESSES } from "./limits.ts";

export interface Where {
  readonly redis: string;
  readonly baseURL: string;
  readonly apiKey: string;
  /** Processes of one scope share their limits. */
  readonly scope: string;
}

/** What each of the processes runs. */
export function createServer({ redis, baseURL, apiKey, scope }: Where): {
  readonly ask: Client<ChatRequest, ChatAnswer>;
  readonly store: RedisStore;
} {
  const store = redisStore({ url: redis, scope, instances: PROCESSES, lease: LEASE_MS });
  const { concurrency, perSecond, burst } = LIMITS;
  const ask = createClient(
    deepseekUpstream({ apiKey, baseURL }),
    // Three guards over one store: one round trip.
    circuitBreaker({ name: "deepseek", store }),
    rateLimit({ name: "account", store, limits: { requests: { limit: perSecond, per: "1s", burst } } }),
    bulkhead({ name: "account", store, concurrency }),
  );
  return { ask, store };
}
