import { type RedisServer, startProxy, startRedis } from "@breakwater-internal/redis-server";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import type {
  CacheAsk,
  CacheClaim,
  CacheEntry,
  CacheFailure,
  CacheHeld,
  CacheWaiting,
} from "@breakwater/core";
import { describe, expect, it, onTestFinished } from "vitest";

import { lab, type Lab, type LabOptions, majors, openLab, pass, someScope, until } from "./lab.test-help.ts";

const redis = useRedis();

const ask = (key = "q"): CacheAsk => ({ name: "answers", key, now: 0 });
const entryOf = (value: unknown): CacheEntry => ({ value, stream: false, bytes: 10, freshMs: 60_000 });
const HOUR = 3_600_000;
const FAILURE: CacheFailure = {
  fault: "upstream",
  retryable: true,
  retryAfterMs: 12.5,
  error: { kind: "upstream", name: "UpstreamError", message: "überlastet", status: 503, code: "OVERLOADED" },
};

async function processes(count: number, options: LabOptions = {}): Promise<Lab[]> {
  const scope = someScope();
  return Promise.all(Array.from({ length: count }, () => lab(redis.url, { scope, ...options })));
}

async function claim({ cache }: Lab, key?: string, refreshes = false): Promise<CacheClaim | undefined> {
  return cache.claim({ ...ask(key), instead: undefined, refreshes });
}

function held(claimed: CacheClaim | undefined): CacheHeld {
  if (claimed?.status !== "held") throw new Error(`held was expected, and not ${claimed?.status}`);
  return claimed;
}

function waiting(claimed: CacheClaim | undefined): CacheWaiting {
  if (claimed?.status !== "waiting") throw new Error(`waiting was expected, and not ${claimed?.status}`);
  return claimed;
}

/** One who holds the claim, and others who wait. */
async function queue(waiters: number, options?: LabOptions) {
  const labs = await processes(waiters + 1, options);
  const [first, ...others] = labs as [Lab, ...Lab[]];
  const holder = held(await claim(first));
  const lines = await Promise.all(others.map(async (other) => waiting(await claim(other))));
  return { labs, first, others, holder, lines };
}

/** Channels on which somebody waits. */
async function listeners(channelPart: string): Promise<number> {
  const channels = (await redis.cli("PUBSUB", "CHANNELS", `bw1:{cache:*${channelPart}`)) as readonly string[];
  return channels.length;
}

/** What a process has before it hears of others is dropped when it does. */
async function listening(server: RedisServer, scope: string, { cache }: Lab): Promise<void> {
  await cache.get(ask("nothing"));
  await until(async () => {
    const [, count] = (await server.cli("PUBSUB", "NUMSUB", `bw1:{${scope}}:cache`)) as readonly unknown[];
    return Number(count) > 0;
  });
  await pass(50); // the process is told what the server knows
}

describe.each(majors)("a claim to an answer, over ioredis $major", ({ library }) => {
  it("is one process's; the others have what it finds", async () => {
    const { holder, lines } = await queue(3, { library });
    expect(await holder.fill(entryOf("yes"), HOUR)).toBe(true);
    for (const { end } of lines)
      expect(await end).toMatchObject({ status: "found", found: { entry: entryOf("yes") } });
    await until(async () => (await listeners("*:c")) === 0);
  });

  it("is one process's; the others have its failure, and who comes later begins anew", async () => {
    const { holder, lines, others } = await queue(2, { library });
    holder.fail(FAILURE);
    for (const { end } of lines) expect(await end).toEqual({ status: "failed", failure: FAILURE });
    expect(await claim(others[1] as Lab, "q", true)).toEqual({ status: "failed", failure: FAILURE }); // no hurry
    held(await claim(others[0] as Lab)).release();
  });
});

describe("a claim to an answer", () => {
  it("that is given back goes to exactly one of those who wait", async () => {
    const { holder, lines } = await queue(4);
    holder.release();
    const next = held(await Promise.race(lines.map(({ end }) => end)));
    let got = 0;
    for (const { end } of lines) void end.then(({ status }) => void (got += status === "held" ? 1 : 0));
    await pass(200);
    expect(got).toBe(1);
    await next.fill(entryOf("yes"), HOUR);
    const all = await Promise.all(lines.map(({ end }) => end));
    expect(all.map(({ status }) => status).toSorted()).toEqual(["found", "found", "found", "held"]);
  });

  it("for an answer that is not for others sends all to fetch by themselves", async () => {
    const { holder, lines } = await queue(2);
    holder.decline();
    for (const { end } of lines) expect(await end).toEqual({ status: "alone" });
  });

  it("for an answer that Redis does not take sends all to fetch by themselves", async () => {
    const { holder, lines, others } = await queue(2, { leaseMs: HOUR });
    const second = held(await claim(others[0] as Lab, "another"));
    const third = held(await claim(others[0] as Lab, "a third"));
    onTestFinished(async () => void (await redis.cli("ACL", "SETUSER", "default", "+exists")));
    await redis.cli("ACL", "SETUSER", "default", "-exists"); // nothing else looks so
    await expect(holder.fill(entryOf("yes"), HOUR)).rejects.toThrow("cannot be asked");
    for (const { end } of lines) expect(await end).toEqual({ status: "alone" });
    await expect(second.fill(entryOf("yes"), HOUR)).rejects.toThrow("cannot be asked");
    expect(await third.fill(entryOf("yes"), HOUR), "it is said now and then").toBe(false);
    await until(async () => ((await redis.cli("KEYS", "bw1:{cache:*}:l")) as string[]).length === 0);
  });

  it("outlives its lease while its process is there", async () => {
    const { holder, lines } = await queue(1, { leaseMs: 200 });
    await pass(600);
    expect(await holder.fill(entryOf("yes"), HOUR)).toBe(true);
    expect(await lines[0]?.end).toMatchObject({ status: "found" });
  });

  it("goes to exactly one other after its lease, when its process is gone", async () => {
    const scope = someScope();
    const dying = await openLab(redis.url, { scope, leaseMs: 300 });
    held(await claim(dying));
    const others = await Promise.all([0, 1, 2].map(() => lab(redis.url, { scope, leaseMs: 300 })));
    const lines = await Promise.all(others.map(async (other) => waiting(await claim(other))));
    await dying.link.close();
    const next = held(await Promise.race(lines.map(({ end }) => end)));
    await next.fill(entryOf("theirs"), HOUR);
    const all = await Promise.all(lines.map(({ end }) => end));
    expect(all.map(({ status }) => status).toSorted()).toEqual(["found", "found", "held"]);
    dying.cache.close();
  });

  it("that was lost keeps nothing: another may have been asked meanwhile", async () => {
    const { first, holder, lines, others } = await queue(1, { leaseMs: 60_000 });
    await others[0]?.cache.delete(ask());
    const next = held(await lines[0]?.end);
    expect(await holder.fill(entryOf("from before it was deleted"), HOUR)).toBe(false);
    expect(await first.cache.get(ask())).toBeUndefined();
    expect(await next.fill(entryOf("from after"), HOUR)).toBe(true);
    expect((await first.cache.get(ask()))?.entry.value).toBe("from after");
    holder.release(); // which is over: not the other's
  });

  it("keeps nothing for a generation that is over", async () => {
    const { first, holder, others } = await queue(1);
    await others[0]?.cache.clear("answers");
    await holder.fill(entryOf("old"), HOUR);
    await until(async () => (await first.cache.get(ask())) === undefined);
    expect(await others[0]?.cache.get(ask())).toBeUndefined();
  });

  it("is not needed where there is an answer that was not there a moment ago, or not this one", async () => {
    const [one, two] = (await processes(2)) as [Lab, Lab];
    await one.cache.set(ask(), entryOf("first"), HOUR);
    expect(await claim(two)).toMatchObject({ status: "found", found: { entry: entryOf("first") } });
    const instead = await two.cache.get(ask());
    held(await two.cache.claim({ ...ask(), instead, refreshes: true })).release();
    await one.cache.set(ask(), entryOf("second"), HOUR);
    expect(await two.cache.claim({ ...ask(), instead, refreshes: true })).toMatchObject({
      status: "found",
      found: { entry: entryOf("second") },
    });
  });

  it("is needed where what there is is stale", async () => {
    const [one, two] = (await processes(2)) as [Lab, Lab];
    await one.cache.set(ask(), { ...entryOf("old"), freshMs: 1 }, HOUR);
    await pass(5);
    held(await claim(two)).release();
  });

  it("leaves nothing behind where somebody waits no more", async () => {
    const { holder, lines } = await queue(1);
    await until(async () => (await listeners("*:c")) === 1);
    lines[0]?.leave();
    await until(async () => (await listeners("*:c")) === 0);
    holder.release();
    await until(async () => ((await redis.cli("KEYS", "bw1:{cache:*}:l")) as readonly string[]).length === 0);
  });

  it("is found again where nobody heard that it was given", async () => {
    const proxy = await startProxy(redis.port);
    onTestFinished(() => proxy.close());
    const scope = someScope();
    const [one, two] = [
      await lab(`redis://127.0.0.1:${proxy.port}`, { scope }),
      await lab(redis.url, { scope }),
    ];
    await one.cache.get(ask());
    proxy.dropReplies(true);
    await expect(claim(one)).rejects.toThrow(/cannot be asked/);
    proxy.dropReplies(false);
    proxy.resetAll();
    const next = await claim(two); // its lease runs, or it was given back by who did not hear
    held(next?.status === "waiting" ? await next.end : next).release();
  });

  it("is given up for lost by those who wait when Redis is gone", async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const scope = someScope();
    const [one, two] = [await lab(server.url, { scope }), await lab(server.url, { scope })];
    await listening(server, scope, one);
    const holder = held(await claim(one));
    const line = waiting(await claim(two));
    await server.kill();
    expect(await line.end).toEqual({ status: "alone" });
    await expect(holder.fill(entryOf("yes"), HOUR)).rejects.toThrow(/cannot be asked/);
    expect((await one.cache.get(ask()))?.entry.value).toBe("yes"); // in this process, for a moment
  });

  it("keeps nothing in the process either that was deleted since, though Redis is gone by then", async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const scope = someScope();
    const [one, two] = [await lab(server.url, { scope }), await lab(server.url, { scope })];
    await listening(server, scope, one);
    const holder = held(await claim(one));
    await two.cache.delete(ask());
    await pass(50); // it is told
    await server.kill();
    await expect(holder.fill(entryOf("old"), HOUR)).rejects.toThrow(/cannot be asked/);
    expect(await one.cache.get(ask())).toBeUndefined();
  });
});
