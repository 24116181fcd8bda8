import type {
  Admission,
  BreakerAsk,
  BreakerStore,
  BudgetStore,
  CacheStore,
  InstanceStore,
  MaybePromise,
  PermitAsk,
  PermitReply,
  PermitStore,
  RateLimitAsk,
  RateLimitReply,
  RateLimitStore,
} from "@breakwater/core";

import { createBreakerPart } from "./breaker/part.ts";
import { createBudgets } from "./budget/budgets.ts";
import { createRedisCache } from "./cache/create-cache.ts";
import type { RedisLink } from "./connection/create-link.ts";
import { createOutbox } from "./decide/batches.ts";
import { createDecisions } from "./decide/decisions.ts";
import type { AnyPart } from "./decide/frame.ts";
import type { StoreAskOfAKind } from "./decide/kinds.ts";
import type { Context } from "./decide/part.ts";
import { createRedisInstances } from "./instances/create-instances.ts";
import { createScope } from "./keys.ts";
import type { RedisStoreConfig } from "./options.ts";
import { createPermitPart } from "./permits/part.ts";
import { createPresence } from "./presence/create-presence.ts";
import type { Presence } from "./presence/presence.ts";
import { createRatePart } from "./rate-limit/part.ts";

/** All that policies ask of a store, and what instances say of themselves. */
export type Stores = RateLimitStore & PermitStore & BreakerStore & BudgetStore & CacheStore & InstanceStore;

/** The state of one scope: what is decided together lives together. */
export interface Scoped {
  readonly stores: Stores;
  readonly presence: Presence;
  close(): Promise<void>;
}

export function createScoped(link: RedisLink, name: string, config: RedisStoreConfig): Scoped {
  const { runtime, leaseMs, instances } = config;
  const scope = createScope(name);
  const { presence, agreement } = createPresence({ link, runtime, scope, leaseMs, instances });
  const outbox = createOutbox({
    link,
    learnUntil: () => presence.learnUntil,
    operations: () => ({ ...rates.operations, ...permits.operations, ...breakers.operations }),
  });
  const context: Context = { link, runtime, scope, presence, agreement, outbox, leaseMs };
  const rates = createRatePart(context);
  const permits = createPermitPart(context);
  const breakers = createBreakerPart(context);
  const parts: Readonly<Record<StoreAskOfAKind["kind"], AnyPart>> = {
    "rate-limit": rates,
    permit: permits,
    breaker: breakers,
  };
  const { decideAll } = createDecisions({ link, runtime, presence, partOf: ({ kind }) => parts[kind] });

  function decide(ask: RateLimitAsk): MaybePromise<RateLimitReply>;
  function decide(ask: PermitAsk): MaybePromise<PermitReply>;
  function decide(ask: BreakerAsk): MaybePromise<Admission>;
  function decide(ask: StoreAskOfAKind): MaybePromise<unknown> {
    const decided = decideAll([ask]);
    return decided instanceof Promise ? decided.then(([reply]) => reply) : decided[0];
  }

  const { close: closeAnswers, ...answers } = createRedisCache({
    // On a cluster answers live on all nodes: one that is down must not look as if this scope's were.
    link: link.of(scope),
    scope,
    instance: presence.instance,
    leaseMs,
    ...config.cache,
  });
  const stores = {
    ...answers,
    ...createRedisInstances(link, name),
    shared: true,
    decide,
    decideAll,
    settle: rates.settle,
    remaining: rates.remaining,
    release: permits.release,
    active: permits.active,
    watch: permits.watch,
    record: breakers.record,
    provisional: breakers.provisional,
    force: breakers.force,
    snapshot: breakers.snapshot,
    budget: createBudgets(context),
  };
  return {
    stores: stores as Stores,
    presence,
    async close() {
      await outbox.close();
      closeAnswers();
      breakers.close();
      permits.close();
      await presence.close();
    },
  };
}
