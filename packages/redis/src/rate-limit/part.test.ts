import { startProxy } from "@breakwater-internal/redis-server";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import type { RateLimitAsk, RateLimitReply, RateRules } from "@breakwater/core";
import { describe, expect, onTestFinished, test, vi } from "vitest";

import type { PartInProcessOptions } from "../decide/process.test-help.ts";
import { type Process, startProcess } from "./lab.test-help.ts";

const redis = useRedis();

async function join(options: PartInProcessOptions = {}, url: string = redis.url): Promise<Process> {
  const process = await startProcess(url, options);
  onTestFinished(() => process.close());
  return process;
}

/** Behind a network that can be cut; Redis keeps what it has. */
async function joinRemote(options: PartInProcessOptions = {}) {
  const proxy = await startProxy(redis.port);
  onTestFinished(() => proxy.close());
  const process = await join(options, proxy.url);
  const { link } = process.context;
  return {
    process,
    proxy,
    async cut(): Promise<void> {
      await proxy.refuse(true);
      await vi.waitUntil(() => !link.up, { timeout: 20_000 });
    },
    async mend(): Promise<void> {
      await proxy.refuse(false);
      await vi.waitUntil(() => link.up, { timeout: 20_000 });
    },
  };
}

/** An hour, so that nothing comes back while a test runs. */
const HOUR = 3_600_000;
const limits: RateRules = {
  requests: { algorithm: "gcra", limit: 100, perMs: HOUR, burst: 100 },
  tokens: { algorithm: "window", limit: 10_000, perMs: HOUR, burst: 10_000 },
};

function ask(tokens: number, changes: Partial<RateLimitAsk> = {}): RateLimitAsk {
  return {
    kind: "rate-limit",
    name: "part",
    key: "k",
    limits,
    cost: { requests: 1, tokens },
    now: 0,
    ...changes,
  };
}

async function left(process: Process): Promise<readonly (number | undefined)[]> {
  const { requests, tokens } = await process.decide(ask(0, { cost: { requests: 0, tokens: 0 } }));
  return [requests?.remaining, tokens?.remaining];
}

describe("limits that processes share", () => {
  test("are one for all of them, and others in another scope", async () => {
    const one = await join();
    const other = await join({ scope: one.context.scope.name });
    const stranger = await join();
    expect(await one.decide(ask(4_000))).toMatchObject({ admitted: true, source: "store" });
    expect(await other.decide(ask(4_000))).toMatchObject({ admitted: true });
    expect(await left(one)).toEqual([98, 2_000]);
    expect(await left(stranger)).toEqual([100, 10_000]);
  });

  test("let exactly as many pass as there are, whoever asks", async () => {
    const first = await join();
    const others = await Promise.all([1, 2, 3].map(() => join({ scope: first.context.scope.name })));
    const replies = await Promise.all(
      [first, ...others].flatMap((process) => Array.from({ length: 60 }, async () => process.decide(ask(0)))),
    );
    expect(replies.filter(({ admitted }) => admitted)).toHaveLength(100);
  });

  test("are settled with what a call came to", async () => {
    const store = await join();
    const given = ask(1_000);
    const reply = await store.decide(given);
    await store.settle(given, reply, { requests: -1, tokens: 500, now: 0 });
    expect(await left(store)).toEqual([100, 8_500]);
    expect(store.remaining("part", 0, 10)).toEqual({ k: { requests: 100, tokens: 8_500 } });
  });

  test("are kept under keys that say nothing of whose they are, for as long as they need", async () => {
    const store = await join();
    await store.decide(ask(1, { key: "alice@example.org" }));
    const keys = (await store.context.link.command("KEYS", [
      `*${store.context.scope.name}*`,
    ])) as readonly string[];
    expect(keys.filter((key) => /:r[rt]:/.test(key))).toHaveLength(2);
    for (const key of keys) {
      expect(key).not.toMatch(/alice|part/);
      expect(await redis.cli("PTTL", key)).toBeGreaterThan(0);
    }
  });

  test("hold by the lowest numbers, and whoever has others is told so", async () => {
    const one = await join();
    const strict: RateRules = { requests: { algorithm: "gcra", limit: 10, perMs: HOUR, burst: 10 } };
    const generous: RateRules = { requests: { algorithm: "gcra", limit: 90, perMs: HOUR, burst: 90 } };
    await one.decide(ask(0, { limits: strict, version: 0 }));
    const other = await join({ scope: one.context.scope.name });
    const reply = await other.decide(ask(0, { limits: generous, version: 0 }));
    expect(reply).toMatchObject({ admitted: true, requests: { remaining: 8 } });
    expect(reply.mismatch).toMatchObject({
      ours: { requests: { limit: 90 } },
      holds: { requests: { limit: 10 } },
    });
    expect((await other.decide(ask(0, { limits: generous, version: 0 }))).mismatch).toBeUndefined();
  });

  test("take nothing, and say so, from who passes without them", async () => {
    const store = await join();
    const open: RateLimitReply = { admitted: true, retryAfterMs: 0, at: 0, source: "open" };
    await store.settle(ask(10), open, { requests: -1, tokens: 50, now: 0 });
    expect(await left(store)).toEqual([100, 10_000]);
  });
});

describe("while Redis is away", () => {
  test("a process goes by its share, beginning with nothing, and what it spent is charged afterwards", async () => {
    const { process, cut, mend } = await joinRemote({ instances: 2 });
    const witness = await join({ scope: process.context.scope.name });
    expect(await witness.decide(ask(1_000))).toMatchObject({ admitted: true });
    await cut();
    expect(await process.decide(ask(100))).toMatchObject({ admitted: false, source: "local" });
    // Half of 100 an hour: one in 72 s. Half of the tokens come as steadily.
    expect(await process.decide(ask(10, { now: 72_000 }))).toMatchObject({ admitted: true, source: "local" });
    expect(await process.decide(ask(10, { now: 72_000 }))).toMatchObject({ admitted: false });
    expect(await process.decide(ask(10, { now: 144_000 }))).toMatchObject({ admitted: true });
    expect(await left(witness)).toEqual([99, 9_000]);
    await mend();
    await vi.waitUntil(async () => (await left(witness))[0] === 97, { timeout: 20_000 });
    expect(await left(witness)).toEqual([97, 8_980]);
    expect(await process.decide(ask(0))).toMatchObject({ admitted: true, source: "store" });
  });

  test("no more is charged than this process's share of the burst, and nobody owes it", async () => {
    const { process, cut, mend } = await joinRemote({ instances: 2 });
    const witness = await join({ scope: process.context.scope.name });
    for (let i = 0; i < 70; i++) await witness.decide(ask(0));
    await cut();
    let admissions = 0;
    await process.decide(ask(0, { now: 0 }));
    // Two hours of it.
    for (let now = 0; now <= 2 * HOUR; now += 72_000)
      if ((await process.decide(ask(0, { now }))).admitted) admissions++;
    expect(admissions).toBeGreaterThanOrEqual(99);
    await mend();
    await vi.waitUntil(async () => (await left(witness))[0] === 0, { timeout: 20_000 });
    const refused = await witness.decide(ask(0));
    expect(refused.requests).toMatchObject({ remaining: 0 });
    expect(refused.retryAfterMs).toBeLessThanOrEqual(36_000);
  });

  test("a reply that was lost leaves its call to this process, and what was charged for it stays charged", async () => {
    const { process, proxy } = await joinRemote();
    const witness = await join({ scope: process.context.scope.name });
    await process.decide(ask(1));
    proxy.dropReplies(true);
    expect(await process.decide(ask(1))).toMatchObject({ source: "local" });
    await vi.waitUntil(async () => (await left(witness))[0] === 98, { timeout: 20_000 });
    proxy.dropReplies(false);
    await vi.waitUntil(() => process.context.link.up, { timeout: 20_000 });
    expect(await left(process)).toEqual([98, 9_998]);
  });

  test("a call that Redis had admitted gives nothing back, and what it used on top is charged afterwards", async () => {
    const { process, cut, mend } = await joinRemote();
    const witness = await join({ scope: process.context.scope.name });
    const given = ask(1_000);
    const [generous, greedy] = [await process.decide(given), await process.decide(given)];
    await cut();
    expect(process.settle(given, generous, { requests: -1, tokens: -1_000, now: 0 })).toBeUndefined();
    expect(process.settle(given, greedy, { requests: 0, tokens: 300, now: 0 })).toBeUndefined();
    await mend();
    await vi.waitUntil(async () => (await left(witness))[1] !== 8_000, { timeout: 20_000 });
    expect(await left(witness)).toEqual([98, 7_700]);
  });

  test("what was granted without Redis is not given back there, and what it used on top is charged", async () => {
    const { process, cut, mend } = await joinRemote();
    const witness = await join({ scope: process.context.scope.name });
    await cut();
    await process.decide(ask(100));
    const given = ask(100, { now: 40_000 });
    const reply = await process.decide(given);
    expect(reply).toMatchObject({ admitted: true, source: "local" });
    await mend();
    await vi.waitUntil(async () => (await left(witness))[1] !== 10_000, { timeout: 20_000 });
    await process.settle(given, reply, { requests: -1, tokens: -100, now: 50_000 });
    expect(await left(witness)).toEqual([99, 9_900]);
    await process.settle(given, reply, { requests: 0, tokens: 30, now: 50_000 });
    expect(await left(witness)).toEqual([99, 9_870]);
  });
});
