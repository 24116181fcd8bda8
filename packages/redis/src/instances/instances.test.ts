import { once } from "node:events";

import { type Proxy, startProxy } from "@breakwater-internal/redis-server";
import { type Program, programOf } from "@breakwater-internal/redis-server/fork";
import { until, useRedis } from "@breakwater-internal/redis-server/vitest";
import { StoreError } from "@breakwater/core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { redisStore } from "../index.ts";
import { instancesOf, someScope } from "./lab.test-help.ts";

const redis = useRedis();
const HOUR = 3_600_000;

async function works(ask: () => unknown): Promise<boolean> {
  try {
    await ask();
    return true;
  } catch {
    return false;
  }
}

async function failureOf(ask: () => unknown): Promise<unknown> {
  try {
    await ask();
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

describe("what instances say, as it lies in Redis", () => {
  it("has a time to live, stands under one hash tag, and tells nobody how the service is called", async () => {
    await redis.cli("FLUSHALL");
    const store = await instancesOf({ url: redis.url, scope: "eu" });
    await store.put("payments of acme", "host-1", "fine", 60_000);
    await store.put("payments of acme", "host-2", "fine", 5_000);
    await store.tell("payments of acme", "hello", 60_000);
    await store.tell("payments of acme", "short", 1_000);
    const keys = ((await redis.cli("KEYS", "*")) as readonly string[]).filter(
      (key) => !key.endsWith(":probe"),
    );
    expect(keys).toHaveLength(4); // an index, two reports and what was told
    const [tag] = /^bw1:\{[^{}]+\}:/.exec(keys[0] ?? "") ?? [];
    for (const key of keys) {
      expect(key.startsWith(tag ?? "none")).toBe(true);
      expect(key).not.toMatch(/acme|host|eu/);
      const ttl = Number(await redis.cli("PTTL", key));
      expect(ttl).toBeGreaterThan(0);
      // The index lasts as long as who lasts longest in it.
      expect(ttl).toBeLessThanOrEqual(60_001);
    }
    await store.remove("payments of acme", "host-1");
    await store.remove("payments of acme", "host-2");
    expect(await redis.cli("KEYS", `${tag}report*`)).toEqual([]);
  });

  it("is found by processes of the same scope alone, also where a client has a keyPrefix", async () => {
    const scope = someScope();
    const prefixed = { url: redis.url, scope, redis: { keyPrefix: "team 1:" } };
    const [one, other] = [await instancesOf(prefixed), await instancesOf(prefixed)];
    const stranger = await instancesOf({ ...prefixed, scope: someScope() });
    const { cursor } = await other.told("chat", undefined);
    const { cursor: elsewhere } = await stranger.told("chat", undefined);
    await one.put("chat", "host-1", "fine", HOUR);
    await one.tell("chat", "hello", HOUR);
    expect(await other.all("chat")).toEqual([{ instance: "host-1", report: "fine" }]);
    expect((await other.told("chat", cursor)).messages).toEqual(["hello"]);
    expect(await stranger.all("chat")).toEqual([]);
    expect((await stranger.told("chat", elsewhere)).messages).toEqual([]);
  });
});

describe("an instance", () => {
  let program: Program;
  beforeAll(
    async () => void (program = await programOf(new URL("./process.test-help.ts", import.meta.url))),
    60_000,
  );
  afterAll(() => program?.remove());

  it("that is killed is gone when its time is over, without anybody sweeping; the others stay", async () => {
    const store = redisStore({ url: redis.url, decisionTimeout: "1s" });
    onTestFinished(() => store.close());
    await until(() => store.status().up);
    const service = someScope();
    const children = ["doomed", "healthy"].map((name) => program.start(redis.url, service, name));
    const names = async () => (await store.all(service)).map(({ instance }) => instance);
    await until(async () => (await names()).length === 2);
    const heard: string[] = [];
    children[1]?.on("message", (messages: readonly string[]) => void heard.push(...messages));
    await Promise.all(children.map((child) => once(child, "message"))); // listening
    await store.tell(service, "for all", HOUR);
    await until(() => heard.length > 0);
    children[0]?.kill("SIGKILL");
    await until(async () => (await names()).length === 1);
    expect(await names()).toEqual(["healthy"]);
    expect(heard).toEqual(["for all"]);
  });
});

describe("while Redis is away", () => {
  let proxy: Proxy;
  beforeAll(async () => void (proxy = await startProxy(redis.port)));
  afterAll(() => proxy.close());

  it.each<[string, () => Promise<void> | void, () => Promise<void> | void]>([
    ["dead", () => redis.server.kill(), () => redis.server.restart()],
    ["half open", () => proxy.stall(true), () => proxy.stall(false)],
    ["not there", () => proxy.refuse(true), () => proxy.refuse(false)],
  ])(
    "%s, all of it fails in bounded time with a StoreError that says why, and works again after",
    async (_, inject, heal) => {
      const store = await instancesOf({ url: proxy.url });
      await until(() => works(() => store.put("chat", "a", "before", HOUR)));
      const { cursor } = await store.told("chat", undefined);
      await inject();
      const asks = [
        () => store.put("chat", "a", "secret report", HOUR),
        () => store.remove("chat", "a"),
        () => store.all("chat"),
        () => store.tell("chat", "secret message", HOUR),
        () => store.told("chat", cursor),
      ];
      for (const error of await Promise.all(asks.map(failureOf))) {
        expect(StoreError.isInstance(error)).toBe(true);
        expect(error).toMatchObject({ retryable: true, cause: { name: "LinkError" } });
        expect(`${String(error)} ${String((error as Error).cause)}`).not.toMatch(/secret/);
      }
      await heal();
      await until(() => works(() => store.put("chat", "a", "after", HOUR)));
      expect(await store.all("chat")).toEqual([{ instance: "a", report: "after" }]);
      // Also where Redis came back without its memory: what is told from now on is heard.
      await store.tell("chat", "are you there?", HOUR);
      expect((await store.told("chat", cursor)).messages).toContain("are you there?");
    },
  );

  it("a store that was closed says so", async () => {
    const store = redisStore(redis.url);
    await store.close();
    expect(await failureOf(() => store.all("chat"))).toMatchObject({
      name: "StoreError",
      cause: { message: "the store was closed" },
    });
  });
});
