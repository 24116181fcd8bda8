import { type Proxy, type RedisServer, startProxy } from "@breakwater-internal/redis-server";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { bulkhead, createPipeline, type OutageMode, type StoreSource } from "@breakwater/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { redisStore } from "../src/index.ts";
import { connected, holder, newScope, sourcesOf, threeGuards, turnsOf, until } from "./outage.test-help.ts";

const redis = useRedis();
let proxy: Proxy;
beforeAll(async () => void (proxy = await startProxy(redis.port)));
afterAll(() => proxy.close());

interface Fault {
  readonly name: string;
  inject(server: RedisServer): Promise<void> | void;
  heal(server: RedisServer): Promise<void> | void;
}

const FAULTS: readonly Fault[] = [
  { name: "dead", inject: (server) => server.kill(), heal: (server) => server.restart() },
  { name: "frozen", inject: (server) => server.freeze(), heal: (server) => server.thaw() },
  { name: "half open", inject: () => proxy.stall(true), heal: () => proxy.stall(false) },
  {
    name: "heard, and its replies lost",
    inject: () => proxy.dropReplies(true),
    heal: () => proxy.dropReplies(false),
  },
  { name: "not there", inject: () => proxy.refuse(true), heal: () => proxy.refuse(false) },
  { name: "too slow", inject: () => proxy.latency(400), heal: () => proxy.latency(0) },
];

describe.each(FAULTS)("while Redis is $name", ({ inject, heal }) => {
  it.each<[OutageMode, string, StoreSource]>([
    ["local", "answered", "local"],
    ["open", "answered", "open"],
    ["closed", "failed", "closed"],
  ])("every call is told something, and policies go by outage %o", async (outage, status, source) => {
    const store = await connected(proxy.url, newScope());
    const { guarded, events } = threeGuards(store, outage);
    const bySource = async (...sources: readonly StoreSource[]): Promise<boolean> => {
      await guarded.outcome(() => 0);
      return sourcesOf(guarded).every((one, i) => one === sources[i]);
    };
    await until(() => bySource("store", "store", "store"));
    events.length = 0;

    await inject(redis.server);
    const during = await Promise.all(Array.from({ length: 50 }, async () => guarded.outcome(() => 0)));
    expect(during).toHaveLength(50);
    await until(() => !store.status().up);
    // Once that is known nobody waits: all of it is told in the same turn of the loop.
    const without = Array.from({ length: 50 }, () => guarded.outcome(() => 0));
    expect(without.some((outcome) => outcome instanceof Promise)).toBe(false);
    // A share that begins empty has something only after a moment.
    await until(async () => (await guarded.outcome(() => 0)).status === status);
    for (const outcome of without) expect(["refused", status]).toContain((await outcome).status);
    expect(sourcesOf(guarded)).toEqual([source, source, source]);
    expect(store.status().reason).toBeInstanceOf(Error);

    await heal(redis.server);
    await until(() => bySource("store", "store", "store"));
    await guarded.drain();
    for (const policy of ["upstream", "account", "slots"]) {
      const turns = turnsOf(events, policy);
      expect(turns[0]).toBe(source);
      expect(turns.at(-1)).toBe("store");
    }
    expect(store.status()).toMatchObject({ up: true });
    expect(store.active("slots")).toEqual({});
  });
});

describe("a store", () => {
  it("leaves nothing behind when it is closed, whether Redis is there or not", async () => {
    const left = (): boolean =>
      process.getActiveResourcesInfo().some((resource) => /^(TCPSocketWrap|Timeout)$/.test(resource));
    await until(() => !left());
    for (const away of [false, true]) {
      const store = redisStore({ url: proxy.url, scope: newScope(), lease: "300ms" });
      const { guarded } = threeGuards(store);
      await until(() => store.status().up);
      await guarded.outcome(() => 0);
      if (away) {
        await proxy.refuse(true);
        await until(() => !store.status().up);
        await guarded.outcome(() => 0);
      }
      await guarded.close();
      await store.close();
      if (away) await proxy.refuse(false);
      await until(() => !left());
    }
  });

  it("was never connected: calls go by the share of this process, and it can be closed", async () => {
    const store = redisStore({ url: "redis://127.0.0.1:1", scope: newScope(), instances: 4 });
    const guarded = createPipeline(bulkhead({ name: "slots", store, concurrency: 8 }));
    const { hold, end } = holder(store, 8);
    expect([await hold(), await hold(), await hold()]).toEqual([true, true, false]);
    expect(guarded.snapshot().policies[0]?.source).toBeUndefined();
    expect((await guarded.outcome(() => 0)).status).toBe("refused");
    expect(guarded.snapshot().policies[0]?.source).toBe("local");
    await end();
    await store.close();
    expect((await guarded.outcome(() => 0)).status).toBe("answered");
  });
});
