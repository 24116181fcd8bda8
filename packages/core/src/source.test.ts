import { describe, expect, it } from "vitest";

import { createClient } from "./client.ts";
import { ConfigError } from "./errors.ts";
import type { BreakwaterEvent } from "./events.ts";
import type { Policy } from "./handler.ts";
import {
  createMemoryPermitStore,
  type PermitAsk,
  type PermitReply,
  type PermitStore,
} from "./permits/store.ts";
import { bulkhead } from "./policies/bulkhead/index.ts";
import { cache } from "./policies/cache/index.ts";
import { circuitBreaker } from "./policies/circuit-breaker/index.ts";
import { rateLimit } from "./policies/rate-limit/index.ts";
import type { StoreSource } from "./store.ts";
import { upstream } from "./upstream.ts";

/** A store that other processes are said to share, and that says where its decisions come from. */
function sharedStore() {
  const memory = createMemoryPermitStore();
  const asks: PermitAsk[] = [];
  const state = { source: "store" as StoreSource, down: false };
  const store: PermitStore = {
    ...memory,
    shared: true,
    async decide(ask): Promise<PermitReply> {
      asks.push(ask);
      if (state.down) throw new Error("nobody there");
      const reply = (await memory.decide(ask)) as PermitReply & { source?: StoreSource };
      reply.source = state.source;
      return reply;
    },
  };
  return { store, asks, state };
}

function watched(policy: Policy) {
  const client = createClient(
    upstream(async (n: number) => n),
    policy,
  );
  const events: BreakwaterEvent[] = [];
  client.on((event) => {
    if (event.type.startsWith("store-") || event.type === "config-mismatch") events.push(event);
  });
  return { client, events, types: () => events.splice(0).map((event) => event.type) };
}

describe("a guard over a shared store", () => {
  it("tells where each decision came from, and each change", async () => {
    const { store, state } = sharedStore();
    const { client, types } = watched(bulkhead({ name: "b", concurrency: 5, store }));
    expect(client.snapshot().policies[0]).not.toHaveProperty("source");
    await client(1);
    expect(types()).toEqual(["store-decide"]);
    state.source = "local";
    await client(1);
    await client(1);
    expect(types()).toEqual(["store-decide", "store-degrade", "store-decide"]);
    expect(client.snapshot().policies[0]?.source).toBe("local");
    state.source = "store";
    await client(1);
    expect(types()).toEqual(["store-decide", "store-recover"]);
    expect(client.snapshot().policies[0]?.source).toBe("store");
  });

  it("says with a refusal that the store is away", async () => {
    const { store, state } = sharedStore();
    const { client } = watched(bulkhead({ name: "b", concurrency: 1, store }));
    const twice = async () => (await Promise.allSettled([client(1), client(2)]))[1];
    expect(await twice()).toMatchObject({
      reason: { message: "refused by b: BULKHEAD_FULL", refusal: { by: "b" } },
    });
    state.source = "local";
    expect(await twice()).toMatchObject({
      reason: {
        message: "refused by b: BULKHEAD_FULL (this process's share: the store is away)",
        refusal: { source: "local" },
      },
    });
  });

  it("hands its choice for an outage, and how often it was changed, to the store", async () => {
    const { store, asks } = sharedStore();
    const limit = bulkhead({ name: "b", concurrency: 5, store, outage: "closed" });
    const { client } = watched(limit);
    await client(1);
    limit.update({ concurrency: 6 });
    await client(1);
    expect(asks.map(({ outage, version, limit: most }) => ({ outage, version, most }))).toEqual([
      { outage: "closed", version: 0, most: 5 },
      { outage: "closed", version: 1, most: 6 },
    ]);
  });

  it("lets calls pass when the store fails and leaves it to a guard that is open", async () => {
    const { store, state } = sharedStore();
    const { client, types } = watched(bulkhead({ name: "b", concurrency: 5, store, outage: "open" }));
    state.down = true;
    expect(await client(1)).toBe(1);
    expect(types()).toEqual(["store-fail", "store-decide", "store-degrade"]);
    expect(client.snapshot().policies[0]?.source).toBe("open");
  });

  it("fails calls otherwise, and says so", async () => {
    const { store, state } = sharedStore();
    const { client } = watched(bulkhead({ name: "b", concurrency: 5, store }));
    state.down = true;
    await expect(client(1)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(client.snapshot().policies[0]?.source).toBe("closed");
  });

  it("tells of numbers that differ between processes", async () => {
    const memory = createMemoryPermitStore();
    const mismatch = { ours: { limit: 5 }, holds: { limit: 3 } };
    const store: PermitStore = {
      ...memory,
      shared: true,
      decide: async (ask) => Object.assign(await memory.decide(ask), { source: "store" as const, mismatch }),
    };
    const { client, events } = watched(bulkhead({ name: "b", concurrency: 5, store }));
    await client(1);
    expect(events.find(({ type }) => type === "config-mismatch")).toMatchObject({ policy: "b", ...mismatch });
  });

  it("needs a name: processes find the same limit by it", () => {
    const { store } = sharedStore();
    const rates = { ...store } as never;
    for (const make of [
      () => bulkhead({ concurrency: 5, store }),
      () => rateLimit({ limits: { requests: { limit: 1, per: "1s" } }, store: rates }),
      () => circuitBreaker({ store: rates }),
    ]) {
      expect(make).toThrow(ConfigError);
      expect(make).toThrow("name is required with a shared store");
    }
  });

  it.each([
    ["redis://:secret@localhost", "a string"],
    [null, "null"],
    [{ status: "ready", call() {} }, "an object"],
  ])("must be one, and not what leads to one: %j", (given, got) => {
    const store = given as never;
    for (const make of [
      () => bulkhead({ name: "b", concurrency: 5, store }),
      () => rateLimit({ name: "r", limits: { requests: { limit: 1, per: "1s" } }, store }),
      () => circuitBreaker({ name: "c", store }),
      () => cache({ name: "a", ttl: "1s", store }),
      () => createClient({ upstream: upstream(() => 1), budget: { name: "b", store } }),
    ]) {
      expect(make).toThrow(ConfigError);
      expect(make).toThrow(`got ${got}.`);
    }
  });

  it("takes no choice for an outage where no store can be away", () => {
    expect(() => bulkhead({ concurrency: 5, outage: "open" })).toThrow("there is no store");
  });
});
