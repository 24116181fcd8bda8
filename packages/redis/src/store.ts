import { ConfigError } from "@breakwater/core";

import type { RedisLink } from "./connection/create-link.ts";
import { openLink } from "./connection/open-link.ts";
import type { RedisClient } from "./connection/redis-client.ts";
import { createScope } from "./keys.ts";
import { readRedisOptions, type RedisStoreConfig, type RedisStoreOptions } from "./options.ts";
import { createScoped, type Scoped, type Stores } from "./scoped.ts";

/** How a store stands with its Redis. */
export interface RedisStoreStatus {
  /** Whether Redis decides at this moment. If not, policies go by their `outage`. */
  readonly up: boolean;
  /** Why it does not. */
  readonly reason?: unknown;
  /** Processes that share this scope, as far as is known. */
  readonly instances: number;
  /** Whether Redis has lost its state lately: what is missing counts as used up until processes have said what they hold. */
  readonly learning: boolean;
  /** What is poor about the client or the server, for people. */
  readonly hints: readonly string[];
}

/**
 * Limits, permits, circuits, retry budgets and answers in Redis, for all processes that use the same server and scope.
 * One object, so that adjacent guards on it are decided together, in one round trip.
 */
export type RedisStore = Stores & {
  /** The same connection for another account: nothing of one scope counts in another. The same object each time. */
  scope(name: string): RedisStore;
  status(): RedisStoreStatus;
  /**
   * Tells Redis what is left to be told and ends connections that are the store's own, all scopes together. Drain
   * clients first: calls that end later cannot give anything back.
   */
  close(): Promise<void>;
};

/**
 * A store in Redis. Give it to policies as `store`; they need a `name` then. It connects at once and in the background:
 * while Redis is away policies go by their `outage`, from the first call on.
 *
 * @param where a url, a client of ioredis 5 or 6 (`Redis` or `Cluster`), or options
 * @throws ConfigError when options are wrong, or the given client would hang or count twice
 *
 * @example
 * ```ts
 * import { bulkhead, circuitBreaker, createPipeline, rateLimit } from "@breakwater/core";
 * import { redisStore } from "@breakwater/redis";
 *
 * const store = redisStore(process.env.REDIS_URL ?? "redis://127.0.0.1:6379");
 * const guarded = createPipeline(
 *   circuitBreaker({ name: "deepseek", store }),
 *   rateLimit({ name: "account", store, limits: { requests: { limit: 3_000, per: "1m" } } }),
 *   bulkhead({ name: "account", store, concurrency: 500 }),
 * );
 * await guarded.execute(() => "hello"); // => "hello"
 * await store.close();
 * ```
 */
export function redisStore(where: string | RedisClient | RedisStoreOptions): RedisStore {
  const config = readRedisOptions(where);
  const link = openLink(config, createScope(config.scope));
  return createStores(link, config).of(config.scope);
}

/** Each scope has a heartbeat. Whoever makes one for each user has not found `key` yet. */
const MOST_SCOPES = 1_000;

/** The stores of all scopes over one link. */
function createStores(link: RedisLink, config: RedisStoreConfig): { of(name: string): RedisStore } {
  const stores = new Map<string, { readonly store: RedisStore; readonly scoped: Scoped }>();

  async function close(): Promise<void> {
    await Promise.all([...stores.values()].map(({ scoped }) => scoped.close()));
    await link.close();
  }

  function of(name: string): RedisStore {
    const known = stores.get(name);
    if (known !== undefined) return known.store;
    if (typeof name !== "string" || name === "")
      throw new ConfigError(
        "redisStore: scope() takes a name that is not empty, such as that of an account.",
      );
    if (stores.size >= MOST_SCOPES) {
      throw new ConfigError(
        `redisStore: there are ${MOST_SCOPES} scopes already. A scope is an account; tenants of one are told apart by the key of a policy.`,
      );
    }
    const own = name === config.scope ? link : link.of(createScope(name));
    const scoped = createScoped(own, name, config);
    const store = {
      ...scoped.stores,
      scope: of,
      status(): RedisStoreStatus {
        const { instances, learning } = scoped.presence;
        const reason = own.up ? undefined : own.reason;
        return {
          up: own.up,
          ...(reason !== undefined && { reason }),
          instances,
          learning,
          hints: own.hints,
        };
      },
      close,
    } as RedisStore;
    stores.set(name, { store, scoped });
    return store;
  }
  return { of };
}
