import { type RedisCluster, type RedisServer, startCluster } from "@breakwater-internal/redis-server";
import type { CacheAsk, CacheEntry } from "@breakwater/core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { redisStore } from "../index.ts";
import { lab, type Lab, someScope, until } from "./lab.test-help.ts";

let cluster: RedisCluster;
beforeAll(async () => void (cluster = await startCluster()), 180_000);
afterAll(() => cluster?.stop());

const ask = (key: string): CacheAsk => ({ name: "answers", key, now: 0 });
const entryOf = (value: unknown): CacheEntry => ({ value, stream: false, bytes: 100, freshMs: 60_000 });
const HOUR = 3_600_000;
const many = Array.from({ length: 60 }, (_, n) => `${n}`);

async function valueOf({ cache }: Lab, key: string): Promise<unknown> {
  return (await cache.get(ask(key)))?.entry.value;
}

async function isAsked(cache: Lab["cache"], key: string): Promise<boolean> {
  const claimed = await Promise.resolve(
    cache.claim({ ...ask(key), instead: undefined, refreshes: false }),
  ).catch(() => undefined);
  if (claimed?.status === "held") claimed.release();
  return claimed !== undefined;
}

/** The client connects to a node with the first command for it, and refuses others until that is done. */
async function connected(cache: Lab["cache"]): Promise<void> {
  for (const key of many) await until(() => isAsked(cache, key));
}

describe("answers in a cluster", { timeout: 60_000 }, () => {
  it("are spread over the nodes, each with all that belongs to it on one", async () => {
    const at = { scope: someScope(), cluster: cluster.nodes.map(({ url }) => url) };
    const [one, two] = [await lab(at), await lab(at)];
    await connected(one.cache);
    await connected(two.cache);
    await Promise.all(
      many.map(async (key) => {
        const claimed = await one.cache.claim({ ...ask(key), instead: undefined, refreshes: false });
        const waiting = await two.cache.claim({ ...ask(key), instead: undefined, refreshes: false });
        if (claimed?.status !== "held" || waiting?.status !== "waiting") throw new Error("not elected");
        expect(await claimed.fill(entryOf(key), HOUR)).toBe(true);
        expect(await waiting.end).toMatchObject({ status: "found", found: { entry: { value: key } } });
      }),
    );
    for (const { cli } of cluster.nodes) expect(await cli("DBSIZE")).toBeGreaterThan(0);
    await one.cache.delete(ask("0"));
    await until(async () => (await valueOf(two, "0")) === undefined);
    expect(await valueOf(two, "1")).toBe("1");
    await one.cache.clear("answers");
    await until(async () => (await valueOf(two, "1")) === undefined);
  });

  it("that cannot be had from one node leave limits alone, which live on another", async () => {
    const scope = someScope();
    const store = redisStore({
      scope,
      cluster: cluster.nodes.map(({ url }) => url),
      cache: { memoryBytes: 0 },
    });
    onTestFinished(() => store.close());
    await until(() => store.status().up);
    const look = async (key: string) => Promise.resolve(store.get(ask(key))).catch(() => undefined);
    await until(async () => {
      await Promise.all(
        many.map(async (key) => store.set(ask(key), entryOf(key), HOUR)).map((set) => set.catch(() => false)),
      );
      return (await Promise.all(many.map(look))).every((found) => found !== undefined);
    });
    const [first] = cluster.nodes as [RedisServer];
    const slot = Number(await first.cli("CLUSTER", "KEYSLOT", `bw1:{${scope}}:probe`));
    const owner = Math.floor((slot * cluster.nodes.length) / 16_384);
    const other = cluster.nodes[(owner + 1) % cluster.nodes.length] as RedisServer;
    other.freeze();
    onTestFinished(() => other.thaw());
    let missed = 0;
    for (let turn = 0; turn < 3; turn++) {
      const found = await Promise.all(many.map(look));
      missed += found.filter((one) => one === undefined).length;
      expect(store.status().up).toBe(true);
    }
    expect(missed).toBeGreaterThan(0);
    other.thaw();
    await until(async () => (await Promise.all(many.map(look))).every((one) => one !== undefined));
  });
});
