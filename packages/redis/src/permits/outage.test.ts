// What permits do when replies are lost, Redis forgets, or is away.
import { startProxy } from "@breakwater-internal/redis-server";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import type { PermitReply } from "@breakwater/core";
import { describe, expect, it, onTestFinished } from "vitest";

import {
  connected,
  HOUR,
  newScope,
  permitAsk,
  type Process,
  type ProcessOptions,
  startProcess,
  until,
} from "./process.test-help.ts";

const redis = useRedis();

async function start(options: ProcessOptions = {}, url: string = redis.url): Promise<Process> {
  const process = startProcess(url, { patienceMs: HOUR, ...options });
  onTestFinished(() => process.close());
  return connected(process);
}

async function proxied() {
  const proxy = await startProxy(redis.port);
  onTestFinished(() => proxy.close());
  return proxy;
}

/** Permits that Redis knows of. */
async function known({ context }: Process): Promise<readonly string[]> {
  return (await redis.cli("ZRANGE", context.scope.key("permits", "account", ""), 0, -1)) as string[];
}

const same = (members: readonly string[], held: readonly PermitReply[]): boolean =>
  members.length === held.length && held.every(({ permit = "" }) => members.includes(permit));

describe("permits of which nobody knows whether they were granted", () => {
  it("are given back, and what was granted in their place counts", async () => {
    const proxy = await proxied();
    const process = await start({ decisionTimeout: 50, lease: 600 }, proxy.url);
    const ask = permitAsk({ limit: 3 });
    const first = await process.decide(ask);
    proxy.dropReplies(true);
    const second = await process.decide(ask);
    expect(second).toMatchObject({ granted: true, source: "local" });
    expect(await known(process), "the ghost, whose name nobody here holds").not.toContain(second.permit);
    proxy.dropReplies(false);
    await until(async () => same(await known(process), [first, second]));
    for (const reply of [first, second]) await process.release(ask, reply);
    await until(async () => (await known(process)).length === 0);
  });

  it("are named by the heartbeat when the server comes to them after they were given back", async () => {
    const process = await start({ lease: 300 });
    const ask = permitAsk({ limit: 3 });
    const held = await process.decide(ask);
    const lost = await process.part.begin(ask, true);
    const keys: string[] = [];
    const args: (string | number)[] = [];
    lost.write(keys, args);
    lost.lost();
    await process.context.outbox.flush();
    const [key] = keys as [string];
    await redis.cli("ZADD", key, "9e15", String(args[0])); // and only now it gets there
    await until(async () => (await known(process)).length === 1);
    expect(await known(process)).toEqual([held.permit]);
  });
});

describe("a process that holds permits", () => {
  it("renews them, for as long as it holds them and no longer", async () => {
    const scope = newScope();
    const process = await start({ scope, lease: 300 });
    const other = await start({ scope });
    const ask = permitAsk();
    const held = await process.decide(ask);
    const first = await believedUntil(held);
    await until(async () => (await believedUntil(held)) > first + 3 * 300_000);
    await process.release(ask, held);
    expect((await other.decide(ask)).granted).toBe(true);

    async function believedUntil({ permit = "" }: PermitReply): Promise<number> {
      return Number(await redis.cli("ZSCORE", process.context.scope.key("permits", "account", ""), permit));
    }
  });

  it("loses them a lease after it was last heard of, and a late release takes nothing from others", async () => {
    const scope = newScope();
    const proxy = await proxied();
    const cut = await start({ scope, lease: 300 }, proxy.url);
    const other = await start({ scope, lease: 300 });
    const ask = permitAsk();
    const held = await cut.decide(ask);
    await proxy.refuse(true);
    let theirs = await other.decide(ask);
    expect(theirs.granted).toBe(false);
    await until(async () => (theirs = await other.decide(ask)).granted);
    await proxy.refuse(false);
    await cut.release(ask, held);
    await until(() => cut.link.up);
    await cut.context.outbox.flush();
    expect(await known(other)).toEqual([theirs.permit]);
    expect((await other.decide(ask)).granted).toBe(false);
  });

  it("says again what it holds when it was silent for longer than a lease", async () => {
    const scope = newScope();
    const proxy = await proxied();
    const cut = await start({ scope, lease: 300 }, proxy.url);
    const other = await start({ scope, lease: 300 });
    const ask = permitAsk();
    const held = await cut.decide(ask);
    await proxy.refuse(true);
    await until(async () => (await other.decide(ask)).granted);
    await proxy.refuse(false);
    await until(async () => (await known(other)).includes(held.permit as string));
    expect(await known(other), "both run: one too many, until one of them ends").toHaveLength(2);
    await cut.release(ask, held);
    expect((await other.decide(ask)).granted).toBe(false);
  });
});

describe("Redis that loses its state", () => {
  it("knows at the next heartbeat who holds what, and grants no more than is left", async () => {
    const server = redis.server;
    const scope = newScope();
    const processes = [await start({ scope, lease: 600 }), await start({ scope, lease: 600 })] as const;
    const ask = permitAsk({ limit: 6 });
    const held = await Promise.all([0, 0, 1, 1].map(async (n) => (processes[n] as Process).decide(ask)));
    expect(held.every(({ granted }) => granted)).toBe(true);
    await until(() => processes.every(({ context }) => context.presence.instances === 2));
    await server.cli("FLUSHALL");
    for (const { permit } of held)
      await until(async () => (await known(processes[0])).includes(permit as string));
    const [one, two] = processes;
    let granted = 0;
    // While all learn each goes by its share, three of six, and two are out; afterwards Redis counts them all.
    for (let n = 0; n < 50; n++)
      for (const process of [one, two]) if ((await process.decide(ask)).granted) granted++;
    expect(granted).toBe(2);
    await until(() => !one.context.presence.learning && !two.context.presence.learning);
    expect(await one.decide(ask)).toMatchObject({ granted: false, active: 6, source: "store" });
  });

  it("hears at once of what is granted while all learn, and of its end: it decides again before the next heartbeat", async () => {
    const process = await start({ lease: 30_000 });
    const ask = permitAsk({ limit: 2 });
    const first = await process.decide(ask);
    Object.defineProperty(process.context.presence, "learning", { value: true, configurable: true });
    const granted = await process.decide(ask);
    expect(granted).toMatchObject({ granted: true, source: "local" });
    await until(async () => (await known(process)).includes(granted.permit as string));
    Object.defineProperty(process.context.presence, "learning", { value: false });
    expect(await process.decide(ask)).toMatchObject({ granted: false, active: 2, source: "store" });
    await process.release(ask, granted);
    expect(await known(process)).toEqual([first.permit]);
  });
});

describe("permits while Redis is away", () => {
  it("go by this process's share, what is out already included, and are known to Redis afterwards", async () => {
    const proxy = await proxied();
    const process = await start({ instances: 2, lease: 600 }, proxy.url);
    const ask = permitAsk({ limit: 6 });
    const first = await process.decide(ask);
    expect(first).toMatchObject({ granted: true, source: "store" });
    await proxy.refuse(true);
    await until(() => !process.link.up);
    const replies = await Promise.all([1, 2, 3].map(async () => process.decide(ask)));
    expect(replies).toMatchObject([
      { granted: true, active: 2, source: "local" },
      { granted: true, active: 3, source: "local" },
      { granted: false, active: 3, source: "local" },
    ]);
    await process.release(ask, replies[0] as PermitReply);
    expect(process.active("account")).toEqual({ "": 2 });
    await proxy.refuse(false);
    await until(async () => same(await known(process), [first, replies[1] as PermitReply]));
  });

  it("wake who waits when one comes back, and when Redis is gone or there again", async () => {
    const proxy = await proxied();
    const process = await start({}, proxy.url);
    const ask = permitAsk();
    const held = await process.decide(ask);
    let wakes = 0;
    const end = process.watch(ask, () => wakes++);
    await proxy.refuse(true);
    await until(() => wakes > 0);
    expect((await process.decide(ask)).granted).toBe(false);
    const before = wakes;
    void process.release(ask, held);
    expect(wakes).toBe(before + 1);
    await proxy.refuse(false);
    await until(() => wakes > before + 1);
    end();
  });

  it("leave nothing behind in this process", async () => {
    const proxy = await proxied();
    const process = await start({}, proxy.url);
    const asks = Array.from({ length: 300 }, (_, n) => permitAsk({ key: `${n}` }));
    const replies = await Promise.all(asks.map(async (ask) => process.decide(ask)));
    expect(Object.keys(process.active("account"))).toHaveLength(300);
    await proxy.refuse(true);
    for (const [n, ask] of asks.entries()) void process.release(ask, replies[n] as PermitReply);
    expect(process.active("account")).toEqual({});
    await proxy.refuse(false);
    const { scope } = process.context;
    await until(
      async () =>
        Number(await redis.cli("EXISTS", ...asks.map(({ key }) => scope.key("permits", "account", key)))) ===
        0,
    );
  });
});

describe("processes that were given different limits", () => {
  it("go by the lower one, and are told", async () => {
    const scope = newScope();
    const [low, high] = [await start({ scope }), await start({ scope })] as const;
    expect(await low.decide(permitAsk({ limit: 2, version: 0 }))).toMatchObject({ granted: true });
    const wide = permitAsk({ limit: 9, version: 0 });
    const replies = [];
    for (let n = 0; n < 3; n++) replies.push(await high.decide(wide));
    expect(replies.map(({ granted }) => granted)).toEqual([true, false, false]);
    expect(replies.map(({ mismatch }) => mismatch)).toEqual([
      { ours: { limit: 9 }, holds: { limit: 2 } },
      undefined,
      undefined,
    ]);
  });
});
