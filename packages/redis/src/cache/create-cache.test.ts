import { useRedis } from "@breakwater-internal/redis-server/vitest";
import type { CacheAsk, CacheEntry } from "@breakwater/core";
import { cacheStoreContract } from "@breakwater/testing";
import { describe, expect, it } from "vitest";

import { lab, type Lab, majors, openLab, pass, someScope, until } from "./lab.test-help.ts";

const redis = useRedis();

const ask = (key: string, name = "answers"): CacheAsk => ({ name, key, now: 0 });
const entryOf = (value: unknown, given: Partial<CacheEntry> = {}): CacheEntry => ({
  value,
  stream: false,
  bytes: 100,
  freshMs: 60_000,
  ...given,
});
const HOUR = 3_600_000;

async function valueOf({ cache }: Lab, key: string): Promise<unknown> {
  return (await cache.get(ask(key)))?.entry.value;
}

describe.each(majors)("the cache store in Redis, over ioredis $major", ({ major, library }) => {
  const labs = new Map<unknown, Lab>();
  it.each(
    cacheStoreContract({
      async create() {
        // With one major the process's own tier stands in front, with the other it does not.
        const opened = await openLab(redis.url, { library, ...(major === 5 && { memoryBytes: 0 }) });
        labs.set(opened.cache, opened);
        return opened.cache;
      },
      advance: pass,
      dispose: (store) => labs.get(store)?.close(),
      slackMs: 300,
    }),
  )("$name", ({ run }) => run(), 20_000);
});

describe("answers in Redis", () => {
  it("are found by another process", async () => {
    const scope = someScope();
    const [one, two] = [await lab(redis.url, { scope }), await lab(redis.url, { scope })];
    await one.cache.set(ask("q"), entryOf({ text: "yes", of: [1, 2] }), HOUR);
    const found = await two.cache.get(ask("q"));
    expect(found?.entry).toEqual(entryOf({ text: "yes", of: [1, 2] }));
    expect(await valueOf(await lab(redis.url), "q")).toBeUndefined(); // of another scope
  });

  it("are not asked for again in a moment, but as old as they are", async () => {
    const { cache, link } = await lab(redis.url);
    // Not at once: what it had before it hears of others is dropped.
    await until(async () => {
      await cache.set(ask("q"), entryOf("yes"), HOUR);
      await link.command("DEL", (await link.command("KEYS", ["bw1:{cache:*}:e"])) as string[]);
      const first = await cache.get(ask("q"));
      await pass(20);
      const second = await cache.get(ask("q"));
      return first !== undefined && second !== undefined && second.ageMs >= first.ageMs + 20;
    });
  });

  it("are kept in the process no longer than they are fresh", async () => {
    const { cache, link } = await lab(redis.url);
    await cache.set(ask("q"), entryOf("yes", { freshMs: 30 }), HOUR);
    await pass(40);
    await link.command("DEL", (await link.command("KEYS", ["bw1:{cache:*}:e"])) as string[]);
    expect(await cache.get(ask("q"))).toBeUndefined();
  });

  it("are gone everywhere when they are deleted, replaced or cleared", async () => {
    const scope = someScope();
    const [one, two] = [await lab(redis.url, { scope }), await lab(redis.url, { scope })];
    const both = async (key: string): Promise<unknown[]> => [
      await valueOf(one, key),
      await valueOf(two, key),
    ];
    for (const key of ["a", "b"]) await one.cache.set(ask(key), entryOf("old"), HOUR);
    expect(await both("a")).toEqual(["old", "old"]);
    expect(await both("b")).toEqual(["old", "old"]);
    await two.cache.set(ask("a"), entryOf("new"), HOUR);
    await until(async () => (await valueOf(one, "a")) === "new");
    await two.cache.delete(ask("a"));
    await until(async () => (await valueOf(one, "a")) === undefined);
    expect(await both("b")).toEqual(["old", "old"]);
    await two.cache.clear("answers");
    expect(await valueOf(two, "b")).toBeUndefined();
    await until(async () => (await valueOf(one, "b")) === undefined);
  });

  it("that were deleted while a process could not hear are gone when it hears again", async () => {
    const scope = someScope();
    const [one, two] = [
      await lab(redis.url, { scope, memoryMs: HOUR }),
      await lab(redis.url, { scope, leaseMs: 1_000.5 }),
    ];
    for (const key of ["deleted", "cleared"]) {
      await one.cache.set(ask(key), entryOf("old"), HOUR);
      await until(async () => (await valueOf(one, key)) === "old");
      await redis.cli("CLIENT", "KILL", "TYPE", "pubsub");
      await (key === "deleted" ? two.cache.delete(ask(key)) : two.cache.clear("answers"));
      await until(async () => (await valueOf(one, key)) === undefined);
    }
  });

  it("that were cleared do not come back when Redis forgets what is current", async () => {
    const scope = someScope();
    const { cache, link } = await lab(redis.url, { scope });
    await cache.set(ask("q"), entryOf("old"), HOUR);
    await cache.clear("answers");
    const keys = (await link.command("KEYS", ["*:cache:*"])) as string[];
    await link.command("DEL", keys);
    expect(await valueOf(await lab(redis.url, { scope }), "q")).toBeUndefined();
  });

  it("have a time to live, all that belongs to them as well, and names that tell nothing", async () => {
    await redis.cli("FLUSHALL");
    const { cache } = await lab(redis.url);
    await cache.set(ask("a secret question"), entryOf("yes"), HOUR);
    const claimed = await cache.claim({ ...ask("another"), instead: undefined, refreshes: false });
    if (claimed?.status !== "held") throw new Error("not held");
    claimed.decline();
    await cache.claim({ ...ask("a third"), instead: undefined, refreshes: false });
    const keys = (await redis.cli("KEYS", "bw1:*cache*")) as readonly string[];
    expect(keys.length).toBeGreaterThanOrEqual(4);
    for (const key of keys) {
      expect(key).not.toMatch(/secret|another|third|answers/);
      expect(Number(await redis.cli("PTTL", key))).toBeGreaterThan(0);
    }
  });

  it("of another release, or damaged, are not found, and are replaced", async () => {
    await redis.cli("FLUSHALL");
    const { cache, link } = await lab(redis.url, { memoryBytes: 0 });
    await cache.set(ask("q"), entryOf("yes"), HOUR);
    const [key] = (await link.command("KEYS", ["bw1:{cache:*}:e"])) as [string];
    const sealed = (await link.command("GET", [key], { binary: true })) as Buffer;
    const wrong = [
      Buffer.from(""),
      Buffer.from("yes"),
      sealed.subarray(0, -1),
      Buffer.concat([Buffer.of(0xb7, 2), sealed.subarray(2)]),
      Buffer.concat([sealed.subarray(0, 34), Buffer.of(1), sealed.subarray(35)]),
    ];
    for (const value of wrong) {
      await link.command("SET", [key, value]);
      expect(await cache.get(ask("q"))).toBeUndefined();
      await cache.set(ask("q"), entryOf("again"), HOUR);
      expect((await cache.get(ask("q")))?.entry.value).toBe("again");
    }
  });

  it("are a miss while Redis is away, which is said once; deleting says that it failed", async () => {
    const other = await openLab(redis.url);
    await other.link.close();
    await expect(other.cache.get(ask("q"))).rejects.toThrow(/cannot be asked/);
    for (let n = 0; n < 5; n++) expect(await other.cache.get(ask("q"))).toBeUndefined();
    expect(await other.cache.set(ask("q"), entryOf("yes"), HOUR)).toBe(false);
    expect(other.cache.claim({ ...ask("q"), instead: undefined, refreshes: false })).toBeUndefined();
    await expect(other.cache.delete(ask("q"))).rejects.toThrow(/may still be given out/);
    await expect(other.cache.clear("answers")).rejects.toThrow(/could not be cleared/);
  });
});
