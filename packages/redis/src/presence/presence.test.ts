import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { type Runtime, systemRuntime } from "@breakwater/core";
import { createTestClock, type TestClock } from "@breakwater/testing";
import { Cluster, Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { makeClient } from "../connection/client.ts";
import type { RedisLink } from "../connection/create-link.ts";
import { openLink } from "../connection/open-link.ts";
import type { RedisClient } from "../connection/redis-client.ts";
import { createScope } from "../keys.ts";
import { readRedisOptions } from "../options.ts";
import type { Agreement } from "./agreement.ts";
import { KEPT_MS } from "./beat.ts";
import { createPresence } from "./create-presence.ts";
import type { Presence } from "./presence.ts";
import { permitTerms } from "./terms.ts";

const redis = useRedis();
let admin: Redis;
beforeAll(() => void (admin = new Redis(redis.url)));
afterAll(() => admin.disconnect());

/** One of the processes: its sockets are in real time, its heart beats when the test says so. */
interface Process {
  readonly presence: Presence;
  readonly agreement: Agreement;
  readonly clock: TestClock;
  readonly link: RedisLink;
  readonly client: RedisClient;
  /** What listeners were told, in order. */
  readonly beats: boolean[];
  /** Stands still for so long: no timer fires meanwhile. */
  sleep(ms: number): void;
}

const processes: Process[] = [];
afterEach(async () => {
  for (const { presence, link, client } of processes.splice(0)) {
    await presence.close();
    await link.close();
    client.disconnect();
  }
});

let scopes = 0;
let seeds = 1;
const newScope = (): string => `presence-${process.pid}-${Date.now()}-${scopes++}`;

async function join(
  scopeName: string,
  options: { leaseMs?: number; instances?: number; learnMs?: number; holding?: () => boolean } = {},
): Promise<Process> {
  const { leaseMs = 15_000, instances = 1, learnMs, holding } = options;
  const scope = createScope(scopeName);
  const client = makeClient({ Cluster, Redis }, { url: redis.url }, systemRuntime());
  const link = openLink(readRedisOptions({ client, scope: scopeName, decisionTimeout: "5s" }), scope);
  const clock = createTestClock({ seed: seeds++ });
  let asleep = 0;
  const runtime: Runtime = { ...clock, now: () => clock.now() + asleep };
  const { presence, agreement } = createPresence({
    link,
    runtime,
    scope,
    leaseMs,
    instances,
    ...(learnMs !== undefined && { learnMs }),
  });
  const beats: boolean[] = [];
  presence.onBeat((again) => {
    beats.push(again);
    return holding?.();
  });
  const joined = {
    presence,
    agreement,
    clock,
    link,
    client,
    beats,
    sleep: (ms: number) => void (asleep += ms),
  };
  processes.push(joined);
  await until(() => link.up);
  return joined;
}

/** Gives the sockets their turn until it is so. */
async function until(so: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 5_000; i++) {
    if (await so()) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error(`it never became so: ${so.toString()}`);
}

/** Lets a third of the lease pass, and waits for what the beat brings. */
async function beat({ clock, beats }: Process, leaseMs = 15_000): Promise<void> {
  const before = beats.length;
  await clock.advance(leaseMs / 3);
  await until(() => beats.length > before);
}

describe("presence", () => {
  it("is known to Redis from its first use on, and to the others at their next beat", async () => {
    const scope = newScope();
    const a = await join(scope);
    expect(a.presence.instance).toMatch(/^[a-z0-9]{16}$/);
    expect(await admin.zcard(a.presence.instancesKey)).toBe(0);
    await a.presence.ready();
    expect(a.presence.ready()).toBeUndefined();
    expect(a.presence.instances).toBe(1);
    expect(a.beats).toEqual([true]);

    const b = await join(scope);
    await b.presence.ready();
    expect(b.presence.instances).toBe(2);
    expect(a.presence.instances).toBe(1);
    await beat(a);
    expect(a.presence.instances).toBe(2);
    expect(a.beats).toEqual([true, false]);
    expect([a.presence.learning, b.presence.learning]).toEqual([false, false]);
    expect([a.presence.learnUntil, b.presence.learnUntil]).toEqual([0, 0]);
    expect(await admin.zcard(a.presence.instancesKey)).toBe(2);
  });

  it("says hello once, for all who ask at the same time", async () => {
    const a = await join(newScope());
    const asked = [a.presence.ready(), a.presence.ready(), a.presence.ready()];
    expect(asked[0]).toBeInstanceOf(Promise);
    expect(new Set(asked).size).toBe(1);
    await asked[0];
    expect(a.beats).toHaveLength(1);
  });

  it("keeps nothing in Redis for ever", async () => {
    const a = await join(newScope());
    await a.agreement.on(permitTerms, "p", 5, 0);
    const keys = await admin.keys(`${a.presence.instancesKey.split("instances")[0]}*`);
    expect(keys.length).toBeGreaterThanOrEqual(3);
    for (const key of keys) expect(await admin.pttl(key)).toBeGreaterThan(0);
  });

  it("beats three times in a lease while it is used, and rests after three leases without use", async () => {
    const a = await join(newScope());
    await a.presence.ready();
    for (let i = 0; i < 9; i++) await beat(a);
    expect(a.beats).toHaveLength(10);
    await a.clock.advance(600_000);
    expect(a.beats).toHaveLength(10);
    // Used again: it says hello, and its heart beats.
    await a.presence.ready();
    expect(a.beats).toHaveLength(11);
    await beat(a);
    expect(a.beats).toHaveLength(12);
  });

  it("goes on beating while something is held", async () => {
    let holds = true;
    const a = await join(newScope(), { holding: () => holds });
    await a.presence.ready();
    for (let i = 0; i < 30; i++) await beat(a);
    holds = false;
    await beat(a);
    await a.clock.advance(600_000);
    expect(a.beats).toHaveLength(32);
  });

  it("counts a process no longer a lease after it is gone, whether it said so or not", async () => {
    const scope = newScope();
    const [a, b, c] = [
      await join(scope, { leaseMs: 300 }),
      await join(scope, { leaseMs: 300 }),
      await join(scope),
    ];
    for (const { presence } of [b, c, a]) await presence.ready();
    expect(a.presence.instances).toBe(3);
    await c.presence.close();
    expect(await admin.zscore(a.presence.instancesKey, c.presence.instance)).toBeNull();
    // The heart of `b` stands still, as in a process that was killed.
    await until(async () => {
      await a.presence.ready();
      await beat(a, 300);
      return (await admin.zcard(a.presence.instancesKey)) === 1;
    });
    await until(async () => {
      await a.presence.ready();
      await beat(a, 300);
      return a.presence.instances === 1;
    });
  });

  it("reckons with the option at least, and remembers how many there were for ten minutes of an outage", async () => {
    const scope = newScope();
    const a = await join(scope, { instances: 2 });
    expect(a.presence.instances).toBe(2);
    for (const { presence } of [await join(scope), await join(scope), a]) await presence.ready();
    expect(a.presence.instances).toBe(3);
    await a.link.close();
    await a.clock.advance(599_000);
    expect(a.presence.instances).toBe(3);
    await a.clock.advance(2_000);
    expect(a.presence.instances).toBe(2);
  });

  it("says hello before anything is decided after it stood still for a lease, and that all is to be said again", async () => {
    const a = await join(newScope());
    await a.presence.ready();
    await beat(a);
    a.sleep(14_000);
    expect(a.presence.ready()).toBeUndefined();
    a.sleep(1_000);
    const ready = a.presence.ready();
    expect(ready).toBeInstanceOf(Promise);
    await ready;
    expect(a.beats).toEqual([true, false, true]);
    expect(a.presence.learning).toBe(false);
  });

  it("says hello again when the connection is back, by itself if it was used", async () => {
    const a = await join(newScope());
    await a.presence.ready();
    await beat(a);
    a.client.disconnect(true);
    await until(() => !a.link.up);
    await expect(a.presence.ready()).rejects.toThrow("not connected");
    await until(() => a.beats.length === 3);
    expect(a.beats).toEqual([true, false, true]);
    expect(a.presence.ready()).toBeUndefined();
    await beat(a);
    expect(a.beats.at(-1)).toBe(false);
  });

  it("rejects while Redis is away, leaves no timer, and recovers by itself", async () => {
    const a = await join(newScope());
    await a.presence.ready();
    a.client.disconnect();
    await until(() => !a.link.up);
    await a.clock.advance(30_000);
    expect(a.clock.pending).toBe(0);
    await expect(a.presence.ready()).rejects.toMatchObject({ name: "LinkError" });
    await a.client.connect();
    await until(() => a.beats.length === 2);
    expect(a.presence.ready()).toBeUndefined();
  });

  it("tries again soon when a beat fails", async () => {
    const a = await join(newScope());
    await a.presence.ready();
    await admin.del(a.presence.instancesKey);
    await admin.set(a.presence.instancesKey, "not a sorted set", "PX", 60_000);
    await a.clock.advance(5_000);
    await until(() => a.clock.pending === 1);
    expect(a.beats).toHaveLength(1);
    await admin.del(a.presence.instancesKey);
    await a.clock.advance(1_250);
    await until(() => a.beats.length === 2);
    // Redis did not know it any more.
    expect(a.beats).toEqual([true, true]);
  });

  it("does not let a listener keep the others from hearing", async () => {
    const a = await join(newScope());
    a.presence.onBeat(() => {
      throw new Error("bad");
    });
    const heard: boolean[] = [];
    a.presence.onBeat((again) => void heard.push(again));
    await a.presence.ready();
    expect(heard).toEqual([true]);
  });

  it("brings near what a clock that was set back has left far ahead", async () => {
    const a = await join(newScope());
    const [seconds] = await admin.time();
    const ahead = (Number(seconds) + 7_200) * 1e6;
    await admin.zadd(a.presence.instancesKey, ahead, "gone");
    await admin.hset(a.presence.instancesKey.replace("instances", "boot"), { id: "b", learn: ahead });
    await a.presence.ready();
    expect(Number(await admin.zscore(a.presence.instancesKey, "gone"))).toBeLessThan(ahead - 3_600e6);
    expect(a.presence.learnUntil).toBeLessThan(ahead - 3_600e6);
  });

  it("is nobody's any more once it is closed", async () => {
    const a = await join(newScope());
    await a.presence.ready();
    await a.presence.close();
    await a.presence.close();
    expect(a.clock.pending).toBe(0);
    expect(await admin.zcard(a.presence.instancesKey)).toBe(0);
    await expect(a.presence.ready()).rejects.toThrow("closed");
  });
});

describe("after Redis has lost its state", () => {
  it("all learn for the same time, each from its next beat on, and say again what they hold", async () => {
    const scope = newScope();
    const [a, b] = [await join(scope), await join(scope)];
    await a.presence.ready();
    await b.presence.ready();
    await beat(a);
    await admin.flushall();
    await beat(a);
    expect(a.beats).toEqual([true, false, true]);
    expect(a.presence).toMatchObject({ learning: true, instances: 2 });
    const { learnUntil } = a.presence;
    const [seconds, micros] = await admin.time();
    expect(learnUntil).toBeGreaterThan(Number(seconds) * 1e6 + Number(micros));
    // Who has not noticed yet decides as before.
    expect(b.presence.learning).toBe(false);
    await beat(b);
    expect(b.presence).toMatchObject({ learning: true, learnUntil });
    expect(b.beats).toEqual([true, true]);
    // A newcomer has lost nothing, but the others have.
    const c = await join(scope);
    await c.presence.ready();
    expect(c.presence).toMatchObject({ learning: true, learnUntil, instances: 3 });

    // Six seconds with a lease of fifteen; noticing it late does not begin it again.
    const d = await join(scope);
    await beat(a);
    expect(a.presence.learnUntil).toBe(learnUntil);
    a.sleep(6_100);
    expect(a.presence.learning).toBe(false);
    await d.presence.ready();
    expect(d.presence.learnUntil).toBe(learnUntil);
  });

  it("that is noticed before the first decision when Redis was started again, by all at once", async () => {
    const scope = newScope();
    const [a, b] = [await join(scope), await join(scope)];
    await a.presence.ready();
    await b.presence.ready();
    await beat(a);
    await redis.server.restart();
    await until(() => !a.link.up && !b.link.up);
    await until(() => a.beats.length === 3 && b.beats.length === 2);
    expect([a.presence.learning, b.presence.learning]).toEqual([true, true]);
    expect(a.presence.learnUntil).toBe(b.presence.learnUntil);
    // The first to come back does not take all for itself.
    expect([a.presence.instances, b.presence.instances]).toEqual([2, 2]);
    const c = await join(scope);
    await c.presence.ready();
    expect(c.presence.instances).toBe(3);
    expect([...a.beats, ...b.beats]).toEqual([true, false, true, true, true]);
  });

  it("that is noticed after an outage of any length, if it was in use", async () => {
    const scope = newScope();
    const a = await join(scope);
    await a.presence.ready();
    a.client.disconnect();
    await until(() => !a.link.up);
    await admin.flushall();
    for (let i = 0; i < 3; i++) {
      await a.clock.advance(KEPT_MS / 2);
      await expect(a.presence.ready()).rejects.toThrow("connected");
    }
    await a.client.connect();
    await until(() => a.beats.length === 2);
    expect(a.presence.learning).toBe(true);
  });

  it("there is nothing to learn for who was not here for a day: Redis forgets then by itself", async () => {
    const scope = newScope();
    const a = await join(scope);
    await a.presence.ready();
    for (let i = 0; i < 9; i++) await beat(a);
    await admin.flushall();
    await a.clock.advance(KEPT_MS);
    await a.presence.ready();
    expect(a.presence).toMatchObject({ learning: false, learnUntil: 0 });
  });

  it("there is something to learn for who was not here for less than a day", async () => {
    const scope = newScope();
    const a = await join(scope);
    await a.presence.ready();
    for (let i = 0; i < 9; i++) await beat(a);
    await admin.flushall();
    await a.clock.advance(KEPT_MS / 2);
    await a.presence.ready();
    expect(a.presence.learning).toBe(true);
  });

  it("a second loss is another one", async () => {
    const scope = newScope();
    const a = await join(scope);
    await a.presence.ready();
    await admin.flushall();
    await beat(a);
    const { learnUntil } = a.presence;
    await admin.flushall();
    await beat(a);
    expect(a.presence.learnUntil).toBeGreaterThan(learnUntil);
  });

  it("the agreement on numbers is made anew", async () => {
    const scope = newScope();
    const [a, b] = [await join(scope), await join(scope)];
    await a.agreement.on(permitTerms, "p", 5, 0);
    expect((await b.agreement.on(permitTerms, "p", 8, 0)).config).toBe(5);
    await b.presence.ready();
    await a.presence.ready();
    await admin.flushall();
    await beat(a);
    await beat(b);
    expect((await b.agreement.on(permitTerms, "p", 8, 0)).config).toBe(5);
  });
});

describe("numbers that differ", () => {
  it("are told between processes, and forgotten when those who had them are gone", async () => {
    const scope = newScope();
    const [a, b] = [await join(scope, { leaseMs: 300 }), await join(scope)];
    expect(await a.agreement.on(permitTerms, "p", 5, 0)).toEqual({ config: 5 });
    expect(await b.agreement.on(permitTerms, "p", 8, 0)).toEqual({
      config: 5,
      mismatch: { ours: { limit: 8 }, holds: { limit: 5 } },
    });
    expect(b.agreement.on(permitTerms, "p", 8, 0)).toEqual({ config: 5 });
    await a.presence.close();
    await until(async () => {
      b.sleep(20_000);
      await b.presence.ready();
      return (await b.agreement.on(permitTerms, "p", 8, 0)).config === 8;
    });
  });

  it("of a policy that is used first when all others are long known are asked for at once", async () => {
    const scope = newScope();
    const [a, b] = [await join(scope), await join(scope)];
    await a.presence.ready();
    await b.presence.ready();
    await a.agreement.on(permitTerms, "p", 5, 0);
    expect(await b.agreement.on(permitTerms, "p", 8, 0)).toMatchObject({ config: 5 });
    expect(b.beats).toEqual([true, false]);
  });

  it("follow an update at the next beat", async () => {
    const scope = newScope();
    const [a, b] = [await join(scope), await join(scope)];
    await a.presence.ready();
    await a.agreement.on(permitTerms, "p", 5, 0);
    await b.agreement.on(permitTerms, "p", 5, 0);
    expect(b.agreement.on(permitTerms, "p", 7, 1)).toEqual({ config: 7 });
    await until(() => b.beats.length === 2);
    await beat(a);
    expect(a.agreement.on(permitTerms, "p", 5, 0)).toMatchObject({ config: 7 });
  });
});
