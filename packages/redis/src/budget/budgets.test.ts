import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";

import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { type BudgetStore, createClient, retry, UpstreamError, upstream } from "@breakwater/core";
import { budgetStoreContract } from "@breakwater/testing";
import { Cluster, Redis } from "ioredis";
import { Cluster as Cluster5, Redis as Redis5 } from "ioredis5";
import { afterEach, describe, expect, it } from "vitest";

import { openLink } from "../connection/open-link.ts";
import type { RedisLibrary } from "../connection/redis-client.ts";
import { createScope } from "../keys.ts";
import { readRedisOptions } from "../options.ts";
import { createPresence } from "../presence/create-presence.ts";
import { createBudgets } from "./budgets.ts";

const redis = useRedis();
const newScope = (): string => randomUUID().slice(0, 18);

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** The budgets of one process, connected. */
async function join(scopeName: string, library: RedisLibrary = { Cluster, Redis }): Promise<BudgetStore> {
  const config = readRedisOptions({ url: redis.url, scope: scopeName, decisionTimeout: "2s" });
  const { runtime, leaseMs, instances } = config;
  const scope = createScope(scopeName);
  const link = openLink(config, scope, library);
  const { presence, agreement } = createPresence({ link, runtime, scope, leaseMs, instances });
  open.push(async () => {
    await presence.close();
    await link.close();
  });
  for (let turn = 0; turn < 500 && !link.up; turn++) await pause(10);
  return { shared: true, budget: createBudgets({ link, presence, agreement, scope }) };
}

describe.each([
  ["ioredis 6", { Cluster, Redis }],
  ["ioredis 5", { Cluster: Cluster5, Redis: Redis5 }],
] as const)("budgets in Redis over %s", (_, library) => {
  const cases = budgetStoreContract({
    create: () => join(newScope(), library),
    advance: (ms) => pause(ms),
    slackMs: 2_000,
  });
  it.each(cases)("$name", ({ run }) => run());
});

describe("a retry budget that several processes have in common", () => {
  const rules = { perSecond: 0, ratio: 0.5, minRatio: 0.1 };

  it("is fed by the calls of all, and gives to all together what they brought", async () => {
    const scope = newScope();
    const budgets = await Promise.all([1, 2, 3].map(async () => (await join(scope)).budget("b", rules)));
    const ask = (count: number) =>
      Promise.all(
        Array.from({ length: count }, async (_, i) => budgets[i % budgets.length]?.take(performance.now())),
      );
    // Five calls of each bring two retries and a half.
    for (let i = 0; i < 15; i++) budgets[i % budgets.length]?.onCall(performance.now());
    const replies = [...(await ask(3)), ...(await ask(60))];
    expect(replies.filter((reply) => reply?.granted)).toHaveLength(7);
    expect(new Set(replies.map((reply) => reply?.source))).toEqual(new Set(["store"]));
  });

  it("goes by the least of the numbers that they give it, and says that they differ", async () => {
    const scope = newScope();
    const [one, other] = [await join(scope), await join(scope)];
    const generous = one.budget("b", { ...rules, ratio: 1 });
    await generous.take(performance.now());
    const strict = other.budget("b", { ...rules, ratio: 0.25 });
    for (let i = 0; i < 8; i++) strict.onCall(performance.now());
    const replies = await Promise.all(Array.from({ length: 9 }, async () => strict.take(performance.now())));
    expect(replies.filter(({ granted }) => granted)).toHaveLength(2);
    expect(replies.filter(({ mismatch }) => mismatch !== undefined)).toHaveLength(1);
    expect(replies[0]?.mismatch).toMatchObject({ holds: { ratio: 0.25 } });
  });

  it("serves clients: a fleet's retries are what the budget says, whoever makes them", async () => {
    const scope = newScope();
    let calls = 0;
    const down = upstream(async (_: number): Promise<number> => {
      calls++;
      throw new UpstreamError("OVERLOADED", "busy", { status: 503, retryable: true });
    });
    const budget = { name: "b", perSecond: 0, ratio: 0.5, minRatio: 0 };
    const stores = await Promise.all([join(scope), join(scope)]);
    const clients = stores.map((store) =>
      createClient({ upstream: down, budget: { ...budget, store } }, retry({ attempts: 9, baseDelay: 0 })),
    );
    await Promise.all(Array.from({ length: 20 }, async (_, i) => clients[i % 2]?.outcome(i)));
    expect(calls).toBe(20 + 10);
    for (const ask of clients)
      expect(ask.snapshot().retryBudget).toMatchObject({ ratio: 0.5, source: "store" });
  });
});
