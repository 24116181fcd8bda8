import { useRedis } from "@breakwater-internal/redis-server/vitest";
import {
  adaptive,
  bulkhead,
  cache,
  circuitBreaker,
  createClient,
  createPipeline,
  type PermitAsk,
  rateLimit,
  type RefusedError,
  retry,
  upstream,
} from "@breakwater/core";
import { describe, expect, it, onTestFinished } from "vitest";

import { type RedisStore, redisStore } from "../src/index.ts";

const redis = useRedis();
let scopes = 0;

/** A store of its own scope, connected. */
async function connected(scope = `scope-${scopes++}`) {
  const store = redisStore({ url: redis.url, scope });
  onTestFinished(() => store.close());
  while (!store.status().up) await new Promise(setImmediate);
  return store;
}

/** How often scripts were run on the server so far. */
async function scriptsRun(): Promise<number> {
  const stats = String(await redis.cli("INFO", "commandstats"));
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

const requests = (limit: number) => ({ requests: { limit, per: "1h" } }) as const;

describe("adjacent guards on one store", () => {
  it("are decided in one round trip", async () => {
    const store = await connected();
    const three = createPipeline(
      circuitBreaker({ name: "upstream", store }),
      rateLimit({ name: "account", store, limits: requests(100) }),
      bulkhead({ name: "account", store, concurrency: 5 }),
    );
    expect(three.describe().policies[0]?.together).toEqual(["upstream", "account", "account"]);
    await three.execute(() => "the first call meets the server");
    while (store.active("account")[""] !== undefined) await new Promise(setImmediate);
    // What is told to Redis is told in order: with this, all that the first call has left behind is.
    const last: PermitAsk = { kind: "permit", name: "last", key: "", limit: 1 };
    await store.release(last, await store.decide(last));
    const before = await scriptsRun();
    let during = 0;
    await createPipeline(
      circuitBreaker({ name: "upstream", store }),
      rateLimit({ name: "account", store, limits: requests(100) }),
      bulkhead({ name: "account", store, concurrency: 5 }),
    ).execute(async () => (during = await scriptsRun()));
    expect(during - before).toBe(1);
  });

  it("consume nothing when one of them refuses", async () => {
    const store = await connected();
    const limits = requests(2);
    const narrow = createPipeline(
      rateLimit({ name: "account", store, limits }),
      bulkhead({ name: "account", store, concurrency: 1 }),
    );
    let release = (): void => {};
    const first = narrow.execute(() => new Promise<void>((resolve) => (release = resolve)));
    while (store.active("account")[""] !== 1) await new Promise(setImmediate);
    for (let i = 0; i < 5; i++) {
      expect((await narrow.outcome(() => 0)).status).toBe("refused"); // the permit is out
    }
    release();
    await first;
    const only = createPipeline(rateLimit({ name: "account", store, limits }));
    expect((await only.outcome(() => 0)).status).toBe("answered");
    expect((await only.outcome(() => 0)).status).toBe("refused");
  });

  it("give back what was granted to a call that has left meanwhile", async () => {
    const store = await connected();
    const guarded = createPipeline(
      rateLimit({ name: "account", store, limits: requests(1) }),
      bulkhead({ name: "account", store, concurrency: 1 }),
    );
    const leaving = new AbortController();
    const asked = guarded.outcome(() => 0, { signal: leaving.signal });
    leaving.abort();
    expect((await asked).status).toBe("cancelled");
    // Both the permit and the request are there again, as soon as Redis knows.
    const served = () => guarded.outcome(() => "served");
    let outcome = await served();
    for (let turn = 0; turn < 1_000 && outcome.status !== "answered"; turn++) outcome = await served();
    expect(outcome).toMatchObject({ status: "answered", value: "served" });
  });

  it("tell the first refusal in written order", async () => {
    const store = await connected();
    const make = (...order: ("rate" | "permit")[]) =>
      createPipeline(
        ...order.map((kind) =>
          kind === "rate"
            ? rateLimit({ name: "account", store, limits: requests(1) })
            : bulkhead({ name: "account", store, concurrency: 1 }),
        ),
      );
    let release = (): void => {};
    const first = make("rate", "permit").execute(() => new Promise<void>((resolve) => (release = resolve)));
    while (store.active("account")[""] !== 1) await new Promise(setImmediate);
    const code = (error: unknown): string => (error as RefusedError).code;
    expect(
      code(
        await make("rate", "permit")
          .execute(() => 0)
          .catch((error: unknown) => error),
      ),
    ).toBe("RATE_LIMITED");
    expect(
      code(
        await make("permit", "rate")
          .execute(() => 0)
          .catch((error: unknown) => error),
      ),
    ).toBe("BULKHEAD_FULL");
    release();
    await first;
  });

  it("hold to the last token of a stream", async () => {
    const store = await connected();
    const ask = createClient(
      upstream(async function* (_: string) {
        yield "a";
        yield "b";
      }),
      adaptive({ name: "account", store, concurrency: 1 }),
    );
    const stream = await ask("anything");
    expect(store.active("account")).toEqual({ "": 1 });
    expect((await ask.outcome("more")).status).toBe("refused");
    const items: string[] = [];
    for await (const item of stream) items.push(item);
    expect(items).toEqual(["a", "b"]);
    expect(store.active("account")).toEqual({});
  });
});

describe("scopes", () => {
  it("know nothing of one another, and share a connection", async () => {
    const store = await connected();
    const other = store.scope("another account");
    expect(store.scope("another account")).toBe(other);
    const limits = requests(1);
    const here = createPipeline(rateLimit({ name: "account", store, limits }));
    const there = createPipeline(rateLimit({ name: "account", store: other, limits }));
    expect((await here.outcome(() => 0)).status).toBe("answered");
    expect((await there.outcome(() => 0)).status).toBe("answered");
    expect((await here.outcome(() => 0)).status).toBe("refused");
  });

  it("are accounts, and not as many as there are users", async () => {
    const store = await connected();
    expect(() => store.scope("")).toThrow("a name that is not empty");
    expect(() => {
      for (let n = 0; n < 2_000; n++) store.scope(`user ${n}`);
    }).toThrow("told apart by the key of a policy");
  });
});

describe("one store", () => {
  it("keeps answers as well, for all processes", async () => {
    const [one, other] = [await connected("answers"), await connected("answers")];
    let asked = 0;
    const make = (store: RedisStore) =>
      createClient(
        upstream(async (question: string) => `${question} ${++asked}`),
        cache({ name: "answers", store, ttl: "1m", key: (question) => question, shared: true }),
      );
    expect(await make(one)("why?")).toBe("why? 1");
    expect(await make(other)("why?")).toBe("why? 1");
  });

  it("holds retry budgets as well", async () => {
    const [one, other] = [await connected("budgets"), await connected("budgets")];
    const make = (store: RedisStore) =>
      createClient(
        {
          upstream: upstream(() => Promise.reject(Object.assign(new Error("busy"), { status: 503 }))),
          budget: { name: "upstream", store, perSecond: 1, ratio: 0 },
        },
        retry({ attempts: 50, baseDelay: 0 }),
      );
    const attempts = await Promise.all(
      [one, other].map(async (store) => (await make(store).outcome("anything")).meta.attempts),
    );
    // Two first attempts, and the retries of one budget: what it held, and what a slow machine lets flow in.
    expect(attempts.reduce((sum, count) => sum + count, 0)).toBeLessThan(20);
  });
});
