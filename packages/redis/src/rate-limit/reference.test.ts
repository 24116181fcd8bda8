import { useRedis } from "@breakwater-internal/redis-server/vitest";
import {
  createMemoryRateLimitStore,
  type RateLimitAsk,
  type RateLimitReply,
  type RateRule,
  type RateRules,
  type RateStanding,
} from "@breakwater/core";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";

import { type Lab, openLab, YEAR_2100 } from "./lab.test-help.ts";

/** The memory store of the core says what is right; the scripts must say the same, asked at the same times. */

const redis = useRedis();
let opened: Promise<Lab> | undefined;
const openOne = (): Promise<Lab> => (opened ??= openLab(redis.url));
afterAll(async () => (await opened)?.close());

const rule = fc
  .record({
    algorithm: fc.constantFrom<RateRule["algorithm"]>("gcra", "window"),
    limit: fc.integer({ min: 1, max: 50 }),
    // In whole µs, as the server's clock is.
    perMs: fc.oneof(
      fc.integer({ min: 1, max: 10_000 }),
      fc.nat(1_000_000).map((us) => (us + 100) / 1_000),
    ),
    burst: fc.integer({ min: 1, max: 50 }),
  })
  .map((given): RateRule => (given.algorithm === "window" ? { ...given, burst: given.limit } : given));

const rules: fc.Arbitrary<RateRules> = fc.oneof(
  fc.record({ requests: rule }),
  fc.record({ tokens: rule }),
  fc.record({ requests: rule, tokens: rule }),
);

const step = fc.record({
  us: fc.oneof(fc.constant(0), fc.constant(0), fc.nat(2_000_000), fc.nat(30_000_000)),
  tokens: fc.integer({ min: 1, max: 70 }),
  /** What an earlier admission came to, and which. */
  used: fc.option(fc.nat(120)),
  sent: fc.boolean(),
  which: fc.nat(20),
  /** To other numbers. */
  change: fc.nat(7),
});

interface Open {
  readonly ask: RateLimitAsk;
  readonly known: RateLimitReply;
  readonly reply: RateLimitReply;
  readonly era: number;
}

/** @returns how many decisions were compared, and how many of these admitted */
async function play(
  all: readonly RateRules[],
  steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[],
): Promise<readonly [number, number]> {
  const lab = await openOne();
  const memory = createMemoryRateLimitStore();
  lab.now = YEAR_2100;
  const key = `${keys++}`;
  const open: Open[] = [];
  let limits = all[0] as RateRules;
  let exact = true;
  let era = 0;
  let admissions = 0;
  for (const [i, { us, tokens, used, sent, which, change }] of steps.entries()) {
    lab.now += us;
    const now = (lab.now - YEAR_2100) / 1_000;
    const next = all[change] ?? limits;
    if (next !== limits) {
      exact = false;
      // What a window gives back to a bucket that has taken its place: see below.
      if (algorithms(next) !== algorithms(limits)) era++;
      limits = next;
    }
    const ask = { kind: "rate-limit", name: "r", key, limits, cost: { requests: 1, tokens }, now } as const;
    const known = memory.decide(ask) as RateLimitReply;
    const [reply] = (await lab.decide(ask)) as [RateLimitReply];
    // At the very µs at which it comes back a sum may round to the one or to the other side.
    if (reply.admitted !== known.admitted) {
      expect({ wait: Math.max(reply.retryAfterMs, known.retryAfterMs) }).toEqual({ wait: 1 });
      return [i, admissions];
    }
    same(reply.requests, known.requests, exact);
    same(reply.tokens, known.tokens, exact);
    if (reply.admitted) {
      admissions++;
      open.push({ ask, known, reply, era });
    }
    if (used === null || open.length === 0) continue;
    const [ended] = open.splice(which % open.length, 1) as [Open];
    const by = {
      requests: sent || ended.ask.limits.requests === undefined ? 0 : -1,
      tokens: ended.ask.limits.tokens === undefined ? 0 : used - ended.ask.cost.tokens,
      now,
    };
    if (ended.era !== era && (by.requests < 0 || by.tokens < 0)) continue;
    void memory.settle(ended.ask, ended.known, by);
    await lab.settle(ended.ask, ended.reply, by);
  }
  return [steps.length, admissions];
}

let keys = 0;

function algorithms({ requests, tokens }: RateRules): string {
  return `${requests?.algorithm} ${tokens?.algorithm}`;
}

function same(one: RateStanding | undefined, other: RateStanding | undefined, exact: boolean): void {
  if (exact || one === undefined || other === undefined) expect(one).toEqual(other);
  else {
    expect(one.remaining).toBe(other.remaining);
    expect(Math.abs(one.retryAfterMs - other.retryAfterMs)).toBeLessThanOrEqual(1);
    expect(Math.abs(one.resetMs - other.resetMs)).toBeLessThanOrEqual(1);
  }
}

/** Whether what has left a window is in it again when that gets longer depends on who asked in between. */
function ofOneSpan(one: RateRule): RateRule {
  return one.algorithm === "window" ? { ...one, perMs: 1_000 } : one;
}

describe("the scripts decide as the memory store does", { timeout: 60_000 }, () => {
  async function holds(seed: number, kinds: fc.Arbitrary<readonly RateRules[]>): Promise<void> {
    let compared = 0;
    let admissions = 0;
    const property = fc.asyncProperty(
      kinds,
      fc.array(step, { minLength: 5, maxLength: 50, size: "large" }),
      async (all, steps) => {
        const [count, passed] = await play(all, steps);
        compared += count;
        admissions += passed;
      },
    );
    await fc.assert(property, { seed, numRuns: 60 });
    expect(compared).toBeGreaterThan(1_000);
    expect(admissions).toBeGreaterThan(250);
  }

  test("with the same numbers all the time", () => holds(1, fc.tuple(rules)));

  test("when the numbers and the algorithm change", () => {
    const changing = rule.map(ofOneSpan);
    // Both from the first ask on, which passes: what was never taken of is not in Redis, and full by any numbers.
    const both = fc.record({ requests: changing, tokens: changing });
    return holds(2, fc.array(both, { minLength: 2, maxLength: 4 }));
  });
});
