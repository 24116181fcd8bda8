// A circuit beside other guards on one store: it is read along with their decision, and all or nothing.
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import {
  type CircuitBreaker,
  circuitBreaker,
  createPipeline,
  type Pipeline,
  type Policy,
  rateLimit,
  type RefusedError,
} from "@breakwater/core";
import { describe, expect, it, onTestFinished } from "vitest";

import { createScope } from "../keys.ts";
import { type RedisStore, redisStore } from "../store.ts";
import { newScope } from "./fleet.test-help.ts";

const redis = useRedis();

async function connected(scope: string): Promise<RedisStore> {
  const store = redisStore({ url: redis.url, scope, decisionTimeout: "2s" });
  onTestFinished(() => store.close());
  await expect.poll(() => store.status().up).toBe(true);
  return store;
}

function guarded(
  store: RedisStore,
  requests: number,
): { breaker: CircuitBreaker; both: Pipeline; limit: Policy } {
  const breaker = circuitBreaker({
    name: "upstream",
    store,
    window: { calls: 8 },
    minimumCalls: 4,
    openFor: "200ms",
    trip: ({ error }) => (error as Error | undefined)?.message === "402",
  });
  const limit = rateLimit({ name: "account", store, limits: { requests: { limit: requests, per: "1h" } } });
  return { breaker, limit, both: createPipeline(breaker, limit) };
}

const fail = (): Promise<never> => Promise.reject(new Error("503"));
const codeOf = async (pipeline: Pipeline): Promise<string> =>
  pipeline.execute(() => "well").catch(({ code }: RefusedError) => code);

describe("a circuit in a group", () => {
  it("is heard of with the very next decision, hint or no hint", async () => {
    const scope = newScope();
    const [here, there] = [await connected(scope), await connected(scope)].map((store) =>
      guarded(store, 100),
    );
    expect(await codeOf(there?.both as Pipeline)).toBe("well");
    await here?.both.outcome(() => Promise.reject(new Error("402")));
    const state = createScope(scope).key("breaker", "upstream", "");
    await expect.poll(() => redis.cli("GET", state)).toMatch(/^1 /);
    expect(await codeOf(there?.both as Pipeline)).toBe("CIRCUIT_OPEN");
  });

  it("takes nothing of a limit while it is open", async () => {
    const scope = newScope();
    const { both } = guarded(await connected(scope), 2);
    const late = guarded(await connected(scope), 2);
    await both.outcome(() => Promise.reject(new Error("402")));
    const state = createScope(scope).key("breaker", "upstream", "");
    await expect.poll(() => redis.cli("GET", state)).toMatch(/^1 /);
    // One that knows refuses by itself, one that comes later is told by Redis.
    for (let i = 0; i < 5; i++) expect(await codeOf(both)).toBe("CIRCUIT_OPEN");
    expect(await codeOf(late.both)).toBe("CIRCUIT_OPEN");
    expect(await codeOf(createPipeline(late.limit))).toBe("well");
    expect(await codeOf(createPipeline(late.limit)), "two in all").toBe("RATE_LIMITED");
  });

  it("elects nobody whom another guard refuses", async () => {
    const scope = newScope();
    const { both, breaker } = guarded(await connected(scope), 1);
    await both.outcome(() => Promise.reject(new Error("402")));
    await expect.poll(() => codeOf(both), { interval: 5 }).toBe("RATE_LIMITED");
    const state = createScope(scope).key("breaker", "upstream", "");
    expect(await redis.cli("GET", state), "nobody has tried").toMatch(/^1 /);
    expect(await codeOf(createPipeline(breaker)), "the first who may").toBe("well");
    await expect.poll(() => redis.cli("GET", state)).toMatch(/^0 /);
  });

  it("does not hope for calls that another guard has refused", async () => {
    const { both, breaker } = guarded(await connected(newScope()), 1);
    await codeOf(both);
    for (let i = 0; i < 40; i++) expect(await codeOf(both)).toBe("RATE_LIMITED");
    const alone = createPipeline(breaker);
    for (let i = 0; i < 4; i++) await alone.outcome(fail);
    expect(await codeOf(alone)).toBe("CIRCUIT_OPEN");
  });
});
