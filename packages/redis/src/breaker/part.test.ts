// Several members of a fleet in one process, each with connections and a presence of its own.
import { startCluster, startProxy, startRedis } from "@breakwater-internal/redis-server";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import {
  type BreakerAsk,
  type BreakwaterEvent,
  circuitBreaker,
  createPipeline,
  isPromise,
} from "@breakwater/core";
import * as six from "ioredis";
import * as five from "ioredis5";
import { describe, expect, it, onTestFinished } from "vitest";

import type { PartInProcessOptions } from "../decide/process.test-help.ts";
import { createScope } from "../keys.ts";
import { joinFleet, type Member, newScope } from "./fleet.test-help.ts";
import { ADMITTED } from "./fragment.ts";
import { type Talk, talkTo, usual } from "./talk.test-help.ts";

const redis = useRedis();

async function join(
  options: PartInProcessOptions = {},
  where: string | readonly string[] = redis.url,
): Promise<Member> {
  const member = await joinFleet(where, options);
  onTestFinished(() => member.close());
  return member;
}

/** Hints are on. */
async function hearing(members: readonly Member[]): Promise<void> {
  const channel = members[0]?.context.scope.channel("breaker") ?? "";
  await eventually(() => redis.cli("PUBSUB", "NUMSUB", channel)).toEqual([channel, members.length]);
}

/** So many members that Redis knows. */
async function fleet(count: number, changes: Partial<typeof usual> = {}, lease = 15_000) {
  const scope = newScope();
  const members = await Promise.all(Array.from({ length: count }, () => join({ scope, lease })));
  const talks = members.map((member) => talkTo(member, changes));
  for (const talk of talks) await talk.ticket();
  await hearing(members);
  const [first, second, third] = talks as [Talk, Talk, Talk];
  return { scope, members, talks, first, second, third };
}

const LONG = { openForMs: 60_000, maxOpenForMs: 60_000 };

/** Opens it for all, at once. */
const trip = async (talk: Talk): Promise<void> =>
  expect(await talk.end(await talk.ticket(), "failure", true)).toBe("open");

const eventually = (f: () => unknown) => expect.poll(f, { timeout: 10_000, interval: 5 });

describe("a shared circuit", () => {
  it("is decided in this process while it is closed and was heard of lately: no trip, no promise", async () => {
    const member = await join();
    const talk = talkTo(member);
    const ask = {
      kind: "breaker",
      name: "circuit",
      key: "",
      config: usual,
      now: member.context.runtime.now(),
      random: 0,
      version: 0,
    } as const;
    expect(isPromise(member.decide(ask)), "nobody has told of it yet").toBe(true);
    await talk.ticket();
    const again = member.decide({ ...ask, config: { ...usual } });
    await again;
    await talk.ticket();
    const known = member.decide(ask);
    expect(isPromise(known)).toBe(false);
    expect(known).toMatchObject({ ticket: { probe: false }, source: "store" });
  });

  it("that one trips is open for all, also for who does not ask", async () => {
    const { first, second, third } = await fleet(3, LONG);
    await trip(first);
    await eventually(() => second.snapshot()?.status).toBe("open");
    await eventually(() => third.snapshot()?.status).toBe("open");
    const ms = await third.refusedFor();
    expect(ms).toBeGreaterThan(50_000);
    expect(ms).toBeLessThanOrEqual(60_000);
  });

  it("is open for a tenth more or less, so that regions do not try in step, and never for longer than the most", async () => {
    for (const [random, openForMs, least, most] of [
      [0, 10_000, 8_000, 9_000],
      [0.999, 10_000, 10_000, 11_000],
      [0.999, 60_000, 50_000, 60_000],
    ] as const) {
      const talk = talkTo(await join({ random: () => random }), { openForMs, maxOpenForMs: 60_000 });
      await trip(talk);
      const { openForMs: ms } = talk.snapshot() ?? { openForMs: 0 };
      expect(ms).toBeGreaterThan(least);
      expect(ms).toBeLessThanOrEqual(most);
    }
  });

  it.each([
    ["refused by another guard", 1],
    ["refused before Redis was asked", 2],
    ["left without an answer of Redis", 3],
    ["undone", 4],
  ])("does not hope for calls that were %s", async (_what, way) => {
    const { part } = await join();
    const ask: BreakerAsk = { kind: "breaker", name: "circuit", key: "", config: usual, now: 0, random: 0 };
    for (let i = 0; i < 40; i++) {
      if (way === 4) part.undo(ask, part.local(ask));
      const pending = await part.begin(ask, false);
      if (way === 1) pending.read([0, 1, ADMITTED, 0, ""], 2, false);
      else if (way === 2) pending.idle();
      else if (way === 3) pending.lost();
      else pending.idle();
    }
    for (let i = 0; i < 4; i++) {
      const admission = part.local(ask);
      if ("ticket" in admission)
        await part.record(ask, admission.ticket, { result: "failure", slow: false, trip: false, now: 1 });
    }
    expect(part.local(ask)).toMatchObject({ retryAfterMs: expect.any(Number) });
  });

  it("is not opened by two that are not open at the same time", async () => {
    const { first, second, scope } = await fleet(3, {}, 300);
    const state = createScope(scope).key("breaker", "circuit", "");
    const votes = createScope(scope).key("breaker-votes", "circuit", "");
    for (let i = 0; i < 4; i++) await first.end(await first.ticket(), "failure");
    // It could try again by now; its vote has ended, and the heartbeats do not renew it.
    await eventually(() => first.snapshot()).toMatchObject({ status: "open", openForMs: 0 });
    await eventually(async () => {
      const [seconds, micros] = ((await redis.cli("TIME")) as string[]).map(Number) as [number, number];
      return redis.cli("ZCOUNT", votes, seconds * 1e6 + micros, "+inf");
    }).toBe(0);
    for (let i = 0; i < 4; i++) await second.end(await second.ticket(), "failure");
    expect(second.snapshot()?.status, "for itself").toBe("open");
    expect(await redis.cli("GET", state)).toBeNull();
  });

  it("lives on one node of a cluster, and its hints come from any", async () => {
    const cluster = await startCluster();
    onTestFinished(() => cluster.stop());
    const urls = cluster.nodes.map(({ url }) => url);
    for (const library of [six, five]) {
      const scope = newScope();
      const [first, second] = [await join({ scope, library }, urls), await join({ scope, library }, urls)];
      const [here, there] = [talkTo(first), talkTo(second)];
      await here.ticket();
      await there.ticket();
      for (let i = 0; i < 4; i++) await here.end(await here.ticket(), "failure");
      expect(there.snapshot()?.status, "one of two").toBe("closed");
      for (let i = 0; i < 4; i++) await there.end(await there.ticket(), "failure");
      await eventually(() => here.snapshot()?.openings).toBe(1);
      await eventually(() => [here.snapshot()?.epoch, here.snapshot()?.status]).toEqual([
        there.snapshot()?.epoch,
        "open",
      ]);
      expect(await there.end(await there.probe(), "success")).toBe("close");
      await eventually(() => here.snapshot()?.status).toBe("closed");
    }
  }, 60_000);

  it("is tried again soon when the server's clock is set, by an hour in either direction", async () => {
    const server = await startRedis({ faketime: true });
    onTestFinished(() => server.stop());
    const talk = talkTo(await join({}, server.url), { ...LONG, probeLeaseMs: 60_000 });
    for (const offset of ["-1h", "+1h"]) {
      await trip(talk);
      expect(await talk.refusedFor()).toBeGreaterThan(50_000);
      await server.setClock(offset);
      expect(await talk.end(await talk.probe(), "success")).toBe("close");
      for (let i = 0; i < 5; i++) await talk.end(await talk.ticket(), "success");
    }
    await server.setClock("-1h");
    await talk.ticket();
  }, 30_000);

  it("needs no right to publish", async () => {
    await redis.cli("ACL", "SETUSER", "mute", "on", "nopass", "~*", "resetchannels", "+@all");
    const talk = talkTo(await join({}, `redis://mute:x@127.0.0.1:${redis.port}`), LONG);
    await trip(talk);
    expect(talk.snapshot()?.status).toBe("open");
    expect(await talk.refusedFor()).toBeGreaterThan(50_000);
  });

  it("tells each process once what has changed, with the time that it is open for", async () => {
    const scope = newScope();
    const members = await Promise.all([join({ scope }), join({ scope })]);
    const told: string[][] = [[], []];
    const [one, two] = members.map((store, i) => {
      const pipeline = createPipeline(
        circuitBreaker({
          name: "circuit",
          store,
          openFor: "1s",
          trip: ({ error }) => (error as Error).message === "402",
        }),
      );
      pipeline.on((event: BreakwaterEvent) => {
        if (event.type === "breaker-open") expect(event.openForMs).toBeGreaterThan(0);
        if (event.type.startsWith("breaker-")) told[i]?.push(event.type);
      });
      return pipeline;
    }) as [ReturnType<typeof createPipeline>, ReturnType<typeof createPipeline>];
    const well = async (pipeline: typeof one): Promise<string> =>
      (await pipeline.outcome(() => "well")).status;
    await well(one);
    await well(two);
    await hearing(members);
    await one.outcome(() => Promise.reject(new Error("402")));
    await eventually(() => told[0]).toEqual(["breaker-open"]);
    // The second has sent nothing that failed: it hears of it from the others.
    await eventually(async () => [await well(two), told[1]?.[0]]).toEqual(["refused", "breaker-open"]);
    await eventually(() => well(one)).toBe("answered");
    await eventually(() => told[0]).toEqual(["breaker-open", "breaker-half-open", "breaker-close"]);
    await eventually(async () => [await well(two), told[1]]).toEqual([
      "answered",
      ["breaker-open", "breaker-close"],
    ]);
  });

  it("hears no late results: neither of calls from before it opened nor of a probe of an earlier epoch", async () => {
    const { first, second } = await fleet(2, { probes: 2 });
    const before = [await second.ticket(), await second.ticket()];
    await trip(first);
    await eventually(() => second.snapshot()?.status).toBe("open");
    const [slow, quick] = [await first.probe(), await second.probe()];
    expect(await second.end(quick, "failure")).toBe("open");
    const next = await second.probe();
    const { epoch } = second.snapshot() ?? {};
    expect(await first.end(slow, "success"), "of the epoch before").toBeUndefined();
    expect(await first.end(slow, "failure")).toBeUndefined();
    for (const late of before) expect(await second.end(late, "failure", true)).toBeUndefined();
    expect(second.snapshot()).toMatchObject({ status: "half-open", epoch });
    expect(await second.end(next, "success"), "one of two").toBeUndefined();
    expect(await first.end(await first.probe(), "success")).toBe("close");
    expect(await first.end(slow, "failure", true), "nor now").toBeUndefined();
    await first.ticket();
  });

  it("opens again when a probe that closed it by its first token fails, whoever says so first", async () => {
    const { first, second } = await fleet(2);
    await trip(first);
    await eventually(() => second.snapshot()?.status).toBe("open");
    const probe = await second.probe();
    // The end is told before it is known what became of the first token.
    const [token, end] = await Promise.all([second.first(probe), second.end(probe, "failure")]);
    expect([token, end]).toEqual(["close", "open"]);
    await eventually(() => first.snapshot()?.openings).toBe(2);
  });

  it("lets all processes together grow to all calls after closing", async () => {
    const { first, second, third, scope } = await fleet(3, { rampMs: 3_600_000 });
    await trip(first);
    await eventually(() => second.snapshot()?.status).toBe("open");
    expect(await second.end(await second.probe(), "success")).toBe("close");
    await eventually(() => first.snapshot()?.status).toBe("closed");
    await eventually(() => third.snapshot()?.status).toBe("closed");
    const newcomer = talkTo(await join({ scope }), { rampMs: 3_600_000 });
    for (const talk of [first, second, third, newcomer]) {
      expect("ticket" in (await talk.admit(0.05)), "a tenth at first").toBe(true);
      const refused = await talk.admit(0.5);
      expect("retryAfterMs" in refused && refused.retryAfterMs).toBeGreaterThan(3_000_000);
    }
  });

  it("is short again the next time once one process was well for a minimum of calls", async () => {
    const { first, second } = await fleet(2);
    await trip(first);
    await eventually(() => second.snapshot()?.status).toBe("open");
    expect(await second.end(await second.probe(), "success")).toBe("close");
    for (let i = 0; i < 4; i++) await second.end(await second.ticket(), "success");
    await eventually(() => second.snapshot()?.openings).toBe(0);
    await eventually(() => first.snapshot()?.status).toBe("closed");
    await trip(first);
    expect(first.snapshot()?.openings).toBe(1);
  });

  it("keeps an end to every key", async () => {
    const { first, second, members } = await fleet(2, { ...LONG, probes: 2 });
    for (let i = 0; i < 4; i++) await first.end(await first.ticket(), "failure");
    for (let i = 0; i < 4; i++) await second.end(await second.ticket(), "failure");
    await first.force("open");
    const { scope } = members[0]?.context ?? {};
    const keys = (await redis.cli("KEYS", `${scope?.key("breaker") ?? "?"}*`)) as string[];
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) expect(await redis.cli("PTTL", key)).toBeGreaterThan(0);
  });
});

describe("a circuit that is held by hand", () => {
  it("is held for all until it is given back, whoever gives it back", async () => {
    const { first, second, third } = await fleet(3);
    await first.force("open");
    await eventually(() => second.snapshot()?.status).toBe("forced-open");
    await second.refusedFor();
    await second.force("closed");
    await eventually(() => third.snapshot()?.status).toBe("forced-closed");
    for (let i = 0; i < 10; i++)
      expect(await third.end(await third.ticket(), "failure", true)).toBeUndefined();
    await third.force(undefined);
    await eventually(() => first.snapshot()?.status).toBe("closed");
    await trip(first);
  });

  it("pybreaker #26: is not given back by a policy or a process of that name that comes later", async () => {
    const { first, scope } = await fleet(1);
    await first.force("open");
    const newcomer = await join({ scope });
    const other = talkTo(newcomer, { openForMs: 1 });
    await other.refusedFor();
    createPipeline(circuitBreaker({ name: "circuit", store: newcomer }));
    await first.refusedFor();
    expect(other.snapshot()?.status).toBe("forced-open");
    expect(await redis.cli("GET", newcomer.context.scope.key("breaker", "circuit", ""))).toMatch(/^3 /);
  });

  it("pybreaker #24: who comes later does not begin the open time anew", async () => {
    const { first, scope } = await fleet(1, LONG);
    await trip(first);
    const before = await first.refusedFor();
    for (let i = 0; i < 3; i++) {
      const newcomer = talkTo(await join({ scope }), LONG);
      expect(await newcomer.refusedFor()).toBeLessThan(before);
    }
  });

  it("stays held when Redis has lost everything", async () => {
    const { first, second, members } = await fleet(2, {}, 300);
    await first.force("open");
    await eventually(() => second.snapshot()?.status).toBe("forced-open");
    await redis.cli("DEL", members[0]?.context.scope.key("breaker", "circuit", "") ?? "");
    const key = members[0]?.context.scope.key("breaker", "circuit", "") ?? "";
    await eventually(() => redis.cli("GET", key)).toMatch(/^3 /);
    await second.refusedFor();
  });
});

describe("while Redis is away", () => {
  it("a circuit stays as it was last seen, and then this process tries by itself", async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const member = await join({}, server.url);
    const talk = talkTo(member, { openForMs: 1_500, maxOpenForMs: 1_500 });
    await trip(talk);
    await server.kill();
    await eventually(() => member.context.link.up).toBe(false);
    const refused = await talk.admit();
    expect(refused).toMatchObject({ source: "local" });
    expect("retryAfterMs" in refused && refused.retryAfterMs).toBeLessThanOrEqual(1_500);
    const probe = await talk.probe();
    await talk.refusedFor();
    expect(await talk.end(probe, "success")).toBe("close");
    expect(await talk.admit()).toMatchObject({ source: "local", ticket: { probe: false } });

    // And back: what was shared when it went away has an attempt of its own.
    await server.restart();
    await eventually(() => member.context.link.up).toBe(true);
    const admission = await talk.admit();
    expect(admission).toMatchObject({ source: "store" });
  }, 30_000);

  it("a process that was cut off reads first what the others have decided", async () => {
    const proxy = await startProxy(redis.port);
    onTestFinished(() => proxy.close());
    const scope = newScope();
    const cut = await join({ scope }, proxy.url);
    const other = await join({ scope });
    const [here, there] = [talkTo(cut, LONG), talkTo(other, LONG)];
    await here.ticket();
    await proxy.refuse(true);
    await eventually(() => cut.context.link.up).toBe(false);
    await there.end(await there.ticket(), "failure", true);
    expect(await here.admit(), "it knows nothing of that").toMatchObject({
      source: "local",
      ticket: { probe: false },
    });
    await proxy.refuse(false);
    await eventually(() => cut.context.link.up).toBe(true);
    expect(await here.refusedFor()).toBeGreaterThan(50_000);
  }, 30_000);

  it("a process that has opened by itself votes when it is back", async () => {
    const proxy = await startProxy(redis.port);
    onTestFinished(() => proxy.close());
    const cut = await join({}, proxy.url);
    const here = talkTo(cut, LONG);
    await here.ticket();
    await proxy.refuse(true);
    await eventually(() => cut.context.link.up).toBe(false);
    for (let i = 0; i < 4; i++) await here.end(await here.ticket(), "failure");
    expect(here.snapshot()?.status).toBe("open");
    await proxy.refuse(false);
    const key = cut.context.scope.key("breaker", "circuit", "");
    await eventually(async () => {
      await here.refusedFor();
      return redis.cli("GET", key);
    }).toMatch(/^1 /);
  }, 30_000);

  it("what is done by hand holds here at once, and for all when it is back", async () => {
    const proxy = await startProxy(redis.port);
    onTestFinished(() => proxy.close());
    const scope = newScope();
    const [cut, other] = [await join({ scope }, proxy.url), await join({ scope })];
    const [here, there] = [talkTo(cut), talkTo(other)];
    await here.ticket();
    await there.ticket();
    await proxy.refuse(true);
    await eventually(() => cut.context.link.up).toBe(false);
    await here.force("open");
    await here.refusedFor();
    await there.ticket();
    await proxy.refuse(false);
    await eventually(() => there.snapshot()?.status).toBe("forced-open");
  }, 30_000);

  it("nobody waits for a Redis that goes away while it is told", async () => {
    const proxy = await startProxy(redis.port);
    onTestFinished(() => proxy.close());
    const scope = newScope();
    const [cut, other] = [await join({ scope }, proxy.url), await join({ scope })];
    const [here, there] = [talkTo(cut), talkTo(other)];
    await here.ticket();
    await there.ticket();
    proxy.stall(true);
    const held = here.force("open");
    await proxy.refuse(true);
    await held;
    await here.refusedFor();
    await there.ticket();
    proxy.stall(false);
    await proxy.refuse(false);
    await eventually(() => there.snapshot()?.status).toBe("forced-open");
  }, 30_000);
});
