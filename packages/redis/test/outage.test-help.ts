import { until } from "@breakwater-internal/redis-server/vitest";
import {
  type BreakwaterEvent,
  bulkhead,
  circuitBreaker,
  createPipeline,
  type OutageMode,
  type Pipeline,
  rateLimit,
  type StoreSource,
} from "@breakwater/core";
import { onTestFinished } from "vitest";

import { type RedisStore, redisStore, type RedisStoreOptions } from "../src/index.ts";

let scopes = 0;
export const newScope = (): string => `outage-${process.pid}-${scopes++}`;

export { until };

/** A store as one of several processes has it. Its leases are short, so that nobody waits long for what they bring. */
export async function connected(
  url: string,
  scope: string,
  options: RedisStoreOptions = {},
): Promise<RedisStore> {
  const store = redisStore({ url, scope, lease: "300ms", decisionTimeout: "100ms", ...options });
  onTestFinished(() => store.close());
  await until(() => store.status().up);
  return store;
}

/** Enough for every call of a test, also as this process's share. */
const limits = { requests: { limit: 100_000, per: "1s" } } as const;

export function threeGuards(
  store: RedisStore,
  outage?: OutageMode,
): { guarded: Pipeline; events: BreakwaterEvent[] } {
  const given = { store, ...(outage !== undefined && { outage }) };
  const guarded = createPipeline(
    circuitBreaker({ name: "upstream", ...given }),
    rateLimit({ name: "account", limits, ...given }),
    bulkhead({ name: "slots", concurrency: 1_000, ...given }),
  );
  const events: BreakwaterEvent[] = [];
  guarded.on((event) => void events.push(event));
  return { guarded, events };
}

export const sourcesOf = (guarded: Pipeline): (StoreSource | undefined)[] =>
  guarded.snapshot().policies.map(({ source }) => source);

/** What a policy was told of its store, in order: where it went from it, and that it came back. */
export const turnsOf = (events: readonly BreakwaterEvent[], policy: string): StoreSource[] =>
  events.flatMap((event) => {
    if (event.type === "store-degrade" && event.policy === policy) return [event.to];
    return event.type === "store-recover" && event.policy === policy ? ["store"] : [];
  });

/** Calls that have a permit until they are told to end. */
export function holder(store: RedisStore, concurrency: number) {
  const guarded = createPipeline(bulkhead({ name: "slots", store, concurrency }));
  const ends: (() => void)[] = [];
  const source = (): StoreSource | undefined => guarded.snapshot().policies[0]?.source;
  return {
    source,
    /** Whether there was one. */
    hold: () =>
      new Promise<boolean>((resolve) => {
        const ended = guarded.execute(() => {
          resolve(true);
          return new Promise<void>((end) => ends.push(end));
        });
        ended.catch(() => resolve(false));
      }),
    async end(): Promise<void> {
      for (const end of ends.splice(0)) end();
      await guarded.drain();
    },
  };
}
