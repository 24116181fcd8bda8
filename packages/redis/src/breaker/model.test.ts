import { useRedis } from "@breakwater-internal/redis-server/vitest";
import type { BreakerStatus } from "@breakwater/core";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";

import { batchScript } from "../decide/batches.ts";
import { decisionOf } from "../decide/frame.ts";
import { joinFleet, type Member } from "./fleet.test-help.ts";
import { numbersOf } from "./fragment.ts";
import { Model, type Numbers } from "./model.test-help.ts";
import { codeOf, readShared, type Shared } from "./shared.ts";

const redis = useRedis();
let member: Member;
beforeAll(async () => void (member = await joinFleet(redis.url)));
afterAll(() => member.close());

const micros = (max: number) => fc.integer({ min: 1, max }).map((n) => n * 1_000);

const numbers: fc.Arbitrary<Numbers> = fc.record({
  probes: fc.integer({ min: 1, max: 3 }),
  lease: micros(3_000),
  ramp: fc.constantFrom(0, 500_000),
  openFor: micros(1_000),
  maxOpenFor: fc.integer({ min: 1_000, max: 5_000 }).map((n) => n * 1_000),
});

const LIVE = ["a", "b", "c", "d", "e", "f", "g"];
const who = fc.constantFrom(...LIVE, "gone");
const statuses = fc.constantFrom<BreakerStatus[]>("closed", "open", "forced-open", "forced-closed");
const which = fc.constantFrom(1, 1, 1, 2, 2, 3, 7);
const jitter = fc.integer({ min: 900, max: 1_100 });

const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ ask: fc.nat(999_999) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      result: fc.constantFrom(0, 1, 1, 2, 2, 3, 3),
      which,
      stale: fc.nat(9).map((n) => n === 0),
      begun: fc.nat(3).map((n) => n === 0),
      jitter,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      vote: who,
      life: micros(2_000),
      trip: fc.nat(9).map((n) => n === 0),
      stale: fc.nat(9).map((n) => n === 0),
      jitter,
    }),
  },
  { weight: 6, arbitrary: fc.record({ us: fc.oneof(micros(100), micros(3_000)) }) },
  // Right before, at and after the next moment at which something ends.
  { weight: 6, arbitrary: fc.record({ edge: fc.constantFrom(-1, 0, 1) }) },
  { weight: 1, arbitrary: fc.record({ back: micros(3_600_000) }) },
  { weight: 1, arbitrary: fc.record({ unvote: who }) },
  { weight: 1, arbitrary: fc.record({ recovered: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ force: statuses }) },
  { weight: 1, arbitrary: fc.record({ restore: statuses, newer: fc.boolean(), openings: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.constant({ look: true } as const) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const START = 1_795_000_000_000_000;
/** Whole numbers of a key of its own, in place of the server's clock. */
const CLOCK = "local now = tonumber(redis.call('GET', KEYS[#KEYS]))";

let runs = 0;

async function play(n: Numbers, steps: readonly Step[]): Promise<void> {
  const { context, part } = member;
  const { link, scope } = context;
  const decision = decisionOf([{ part, shape: "b" }], CLOCK).script;
  const batch = batchScript(part.operations, CLOCK);
  const key = (kind: string): string => scope.key(kind, String(runs));
  runs++;
  const [state, leases, votes, instances, clock] = ["state", "leases", "votes", "instances", "clock"].map(
    key,
  ) as [string, string, string, string, string];
  const model = new Model();
  let now = START;
  const live = new Set(LIVE);
  const ids: { readonly id: string; readonly epoch: number }[] = [];

  const tell = async (
    name: string,
    args: readonly (string | number)[],
    keys: readonly string[] = [],
    life = 5_000_000,
  ) => {
    const head = [name, life, "channel", n.openFor, n.maxOpenFor];
    const [reply] = (await link.run(
      batch,
      [state, leases, votes, ...keys, clock],
      [0, ...head, ...args],
    )) as [[number, number, string, number?]];
    expect(reply[1]).toBe(now);
    expect(readShared(reply[2])).toEqual(model.shared);
    return reply;
  };

  for (const one of LIVE) await link.command("ZADD", [instances, START * 2, one]);
  await link.command("ZADD", [instances, 1, "gone"]);
  for (const [i, one] of steps.entries()) {
    await link.command("SET", [clock, now]);
    if ("us" in one) now += one.us;
    else if ("edge" in one) {
      const { status, until } = model.shared;
      const ends = [...(status === "open" ? [until] : []), ...model.leases.values()];
      const next = Math.min(...ends.filter((end) => end > now));
      if (Number.isFinite(next)) now = Math.max(now, next + one.edge);
    } else if ("back" in one) now -= one.back;
    else if ("ask" in one) {
      const id = `probe-${i}`;
      const expected = model.ask(now, id, one.ask, n);
      const reply = (await link.run(
        decision,
        [state, leases, clock],
        [0, id, one.ask, numbersOf(n.probes, n.lease, n.ramp, 5_000_000)],
      )) as [...number[], string];
      expect(reply.slice(0, -1)).toEqual([expected[0] === 2 ? 0 : 1, now, ...expected]);
      expect(readShared(reply.at(-1) as string)).toEqual(model.shared);
      if (expected[0] === 1 || expected[0] === 3) ids.push({ id, epoch: model.shared.epoch });
    } else if ("result" in one) {
      const each = ids.at(-one.which);
      if (each === undefined) continue;
      const { result, begun } = one;
      const epoch = one.stale ? each.epoch - 1 : each.epoch;
      const [transition, held] = model.verdict(now, each.id, epoch, result, begun, one.jitter, n);
      const reply = await tell("breaker-verdict", [
        one.jitter,
        each.id,
        epoch,
        result,
        begun ? 1 : 0,
        n.probes,
      ]);
      expect([reply[0], reply[3]]).toEqual([transition, held]);
    } else if ("vote" in one) {
      const epoch = one.stale ? model.shared.epoch - 1 : model.shared.epoch;
      const transition = model.vote(now, one.vote, epoch, one.life, one.trip, one.jitter, n, live);
      const args = [one.jitter, one.vote, epoch, one.life, one.trip ? 1 : 0];
      expect((await tell("breaker-vote", args, [instances]))[0]).toBe(transition);
    } else if ("unvote" in one) {
      model.votes.delete(one.unvote);
      await tell("breaker-unvote", [1_000, one.unvote]);
    } else if ("recovered" in one) {
      const epoch = model.shared.epoch - (one.recovered ? 0 : 1);
      model.recovered(epoch);
      await tell("breaker-well", [1_000, epoch]);
    } else if ("force" in one) {
      model.force(now, one.force);
      await tell("breaker-force", [1_000, codeOf(one.force)]);
    } else if ("restore" in one) {
      const shared: Shared = {
        status: one.restore,
        epoch: model.shared.epoch + (one.newer ? 1_000 : -1),
        until: now + 1_000,
        openings: one.openings,
        closedAt: now - 1_000,
      };
      model.restore(shared, n.maxOpenFor);
      const { status, epoch, until, openings, closedAt } = shared;
      const text = [codeOf(status), openings, epoch, until, closedAt, n.maxOpenFor, 0, "-"].join(" ");
      await tell("breaker-look", [1_000, epoch, text]);
    } else await tell("breaker-look", [1_000, 0, ""]);
    for (const each of [state, leases, votes]) {
      const ttl = await link.command("PTTL", [each]);
      expect(ttl, "every key has an end").not.toBe(-1);
    }
    const members = async (of: string) => (await link.command("ZRANGE", [of, 0, -1])) as string[];
    expect(new Set(await members(leases))).toEqual(new Set(model.leases.keys()));
    expect(new Set(await members(votes))).toEqual(new Set(model.votes.keys()));
  }
}

it("the Lua of a circuit does what the model does, whatever is asked and told and whatever the clock", async () => {
  await fc.assert(fc.asyncProperty(numbers, fc.array(step, { maxLength: 80, size: "max" }), play), {
    numRuns: 150,
  });
}, 120_000);
