import { useRedis } from "@breakwater-internal/redis-server/vitest";
import type { RateLimitAsk, RateLimitReply, RateRule } from "@breakwater/core";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";

import { type Lab, openLab, YEAR_2100 } from "./lab.test-help.ts";

const redis = useRedis();
let opened: Promise<Lab> | undefined;
afterAll(async () => (await opened)?.close());

const HOUR = 3_600_000;
let keys = 0;

/** A key of its own, for so many tokens. */
async function start(rule: RateRule) {
  const lab = await (opened ??= openLab(redis.url));
  lab.now = YEAR_2100;
  lab.learn = 0;
  const key = `${keys++}`;
  const askFor = (tokens: number, tokensOf: RateRule = rule): RateLimitAsk => ({
    kind: "rate-limit",
    name: "clock",
    key,
    limits: { tokens: tokensOf },
    cost: { requests: 0, tokens },
    now: 0,
  });
  return {
    lab,
    askFor,
    async take(tokens: number, tokensOf: RateRule = rule): Promise<RateLimitReply> {
      const [reply] = await lab.decide(askFor(tokens, tokensOf));
      return reply as RateLimitReply;
    },
    pass(ms: number): void {
      lab.now += ms * 1_000;
    },
    stored: (): string => lab.keyOf(askFor(0), "tokens"),
  };
}

const bucket: RateRule = { algorithm: "gcra", limit: 10, perMs: 1_000, burst: 20 };
const windowed: RateRule = { algorithm: "window", limit: 10, perMs: 1_000, burst: 10 };
const algorithms = [
  { name: "token bucket", rule: bucket, all: 20 },
  { name: "window", rule: windowed, all: 10 },
];

describe.each(algorithms)("the clock of the server: $name", ({ rule, all }) => {
  test("set back by an hour it has stood still, also for who is refused", async () => {
    const { take, pass } = await start(rule);
    await take(all);
    pass(-HOUR);
    const { retryAfterMs } = await take(1);
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(rule.algorithm === "gcra" ? 100 : 1_000);
    pass(retryAfterMs);
    expect((await take(1)).admitted).toBe(true);
  });

  test("what was in it is in it afterwards, no more and no less", async () => {
    const { take, pass } = await start(rule);
    await take(all - 3);
    pass(-HOUR);
    expect((await take(4)).tokens?.remaining).toBe(3);
    expect((await take(3)).admitted).toBe(true);
    expect((await take(1)).admitted).toBe(false);
  });

  test("set ahead by an hour it lets no more pass than after an hour, and keeps to that when it is set right", async () => {
    const { take, pass } = await start(rule);
    await take(all);
    pass(HOUR);
    expect((await take(all)).admitted).toBe(true);
    pass(-HOUR);
    const { admitted, retryAfterMs } = await take(1);
    expect(admitted).toBe(false);
    expect(retryAfterMs).toBeLessThanOrEqual(1_000);
  });

  test("what is given back of a time that is yet to come is gone", async () => {
    const { lab, take, askFor, pass } = await start(rule);
    const reply = await take(all);
    pass(-HOUR);
    await lab.settle(askFor(all), reply, { requests: 0, tokens: -all, now: 0 });
    expect((await take(1)).admitted).toBe(false);
  });

  test("however it is set, no more passes than in the time that has passed, and nobody waits for an hour", async () => {
    const steps = fc.array(
      fc.record({
        ms: fc.oneof(fc.constant(0), fc.nat(400), fc.nat(3_000)),
        back: fc.oneof(fc.constant(0), fc.constant(0), fc.constantFrom(5, 700, HOUR)),
        cost: fc.integer({ min: 1, max: 10 }),
      }),
      { minLength: 5, maxLength: 60, size: "large" },
    );
    const property = fc.asyncProperty(steps, async (moves) => {
      const { take, pass } = await start(rule);
      let passed = 0;
      let taken = 0;
      for (const { ms, back, cost } of moves) {
        passed += ms;
        pass(ms);
        pass(-back);
        const { admitted, retryAfterMs } = await take(cost);
        if (admitted) taken += cost;
        else expect(retryAfterMs).toBeLessThanOrEqual(1_000);
        if (rule.algorithm === "gcra") expect(taken).toBeLessThanOrEqual(all + passed / 100);
        else expect(taken).toBeLessThanOrEqual(10 * (1 + Math.floor(passed / 1_000)));
      }
    });
    await fc.assert(property, { seed: 3, numRuns: 60 });
  }, 60_000);
});

describe.each(algorithms)("what Redis may have lost: $name", ({ rule, all }) => {
  const perOne = rule.algorithm === "gcra" ? 100 : 1_000;

  test("begins used up, and comes back as ever, also while it is still being learned", async () => {
    const { lab, take, pass } = await start(rule);
    lab.learn = lab.now + 2_000_000;
    const first = await take(1);
    expect(first).toMatchObject({ admitted: false, retryAfterMs: perOne, tokens: { remaining: 0 } });
    pass(perOne - 1);
    expect(await take(1)).toMatchObject({ admitted: false, retryAfterMs: 1 });
    pass(1);
    expect((await take(1)).admitted).toBe(true);
  });

  test("is full for who comes when that is over", async () => {
    const { lab, take, pass } = await start(rule);
    lab.learn = lab.now + 2_000_000;
    pass(2_000);
    expect((await take(all)).admitted).toBe(true);
  });

  test("is what it was where it is still there", async () => {
    const { lab, take } = await start(rule);
    await take(1);
    lab.learn = lab.now + 2_000_000;
    expect((await take(all - 1)).admitted).toBe(true);
    expect((await take(1)).admitted).toBe(false);
  });

  test("is used up, and owes nothing, when somebody settles first", async () => {
    const { lab, take, askFor } = await start(rule);
    lab.learn = lab.now + 2_000_000;
    const told = { admitted: true, retryAfterMs: 0, at: lab.now / 1_000 };
    await lab.settle(askFor(5), told, { requests: 0, tokens: 50, now: 0 });
    expect(await take(1)).toMatchObject({ retryAfterMs: perOne, tokens: { remaining: 0 } });
  });
});

test("a limit for all is kept for as long as an empty bucket takes to fill, whatever is in it", async () => {
  const { lab, askFor } = await start(bucket);
  const ask = { ...askFor(1), name: `clock-${keys++}`, key: "" };
  await lab.decide(ask);
  const left = Number(await lab.command("PTTL", lab.keyOf(ask, "tokens")));
  expect(left).toBeGreaterThan(500);
  expect(left).toBeLessThanOrEqual(2_100);
  // In debt it takes longer, and is kept for longer.
  await lab.decide({ ...ask, cost: { requests: 0, tokens: 1_000 } });
  const [reply] = await lab.decide({ ...ask, cost: { requests: 0, tokens: 19 } });
  expect((reply as RateLimitReply).admitted).toBe(true);
  await lab.settle(ask, reply as RateLimitReply, { requests: 0, tokens: 100, now: 0 });
  expect(await lab.command("PEXPIRETIME", lab.keyOf(ask, "tokens"))).toBe(YEAR_2100 / 1_000 + 12_000 + 1);
});

describe.each(algorithms)("what is kept: $name", ({ rule, all }) => {
  test("is kept until nothing is lost when it is not, and no longer", async () => {
    const { lab, take, stored } = await start(rule);
    await take(all);
    const fullMs = rule.algorithm === "gcra" ? 2_000 : 1_000;
    expect(await lab.command("PEXPIRETIME", stored())).toBe(YEAR_2100 / 1_000 + fullMs + 1);
  });

  test("has an end, however much is owed", async () => {
    const { lab, take, askFor, stored } = await start(rule);
    const reply = await take(1);
    await lab.settle(askFor(1), reply, { requests: 0, tokens: 1e300, now: 0 });
    expect(await lab.command("PEXPIRETIME", stored())).toBeGreaterThan(0);
    expect((await take(0)).retryAfterMs).toBeGreaterThan(0);
  });

  test("what costs nothing, and who is refused, writes nothing", async () => {
    const { lab, take, stored } = await start(rule);
    expect((await take(0)).admitted).toBe(true);
    expect(await lab.command("EXISTS", stored())).toBe(0);
    await take(all);
    const before = await lab.command("GET", stored());
    lab.now += 1_000;
    expect((await take(all)).admitted).toBe(false);
    expect(await lab.command("GET", stored())).toBe(before);
  });

  test("stays small, however often it is asked", async () => {
    const { lab, take, pass, stored } = await start({ ...rule, limit: 100_000, burst: 100_000 });
    for (let i = 0; i < 500; i++) {
      await take(1);
      pass(3);
    }
    expect(await lab.command("STRLEN", stored())).toBeLessThanOrEqual(32 + 24 * 66);
    expect((await take(1, { ...rule, limit: 100_000, burst: 100_000 })).tokens?.remaining).toBeGreaterThan(0);
  });
});

test("what a window has let pass counts in the bucket that takes its place, and can be given back as long as in the window", async () => {
  const { lab, take, askFor, pass } = await start(windowed);
  const early = await take(4);
  pass(600);
  const late = await take(4);
  pass(500); // the first four have left the window
  expect((await take(1, bucket)).tokens?.remaining).toBe(5);
  await lab.settle(askFor(4), early, { requests: 0, tokens: -4, now: 0 });
  expect((await take(0, bucket)).tokens?.remaining).toBe(5);
  await lab.settle(askFor(4), late, { requests: 0, tokens: -4, now: 0 });
  expect((await take(0, bucket)).tokens?.remaining).toBe(9);
});

test("two that take turns with other numbers each see it refill", async () => {
  const slow: RateRule = { algorithm: "gcra", limit: 60, perMs: 60_000, burst: 5 };
  const fast: RateRule = { ...slow, limit: 120 };
  const { take, pass } = await start(slow);
  await take(5);
  let admissions = 0;
  for (let i = 0; i < 400; i++) {
    pass(50); // a tenth of one at the faster rate, a twentieth at the slower
    if ((await take(1, i % 2 === 0 ? fast : slow)).admitted) admissions++;
  }
  expect(admissions).toBeGreaterThanOrEqual(28); // 20 s at 1.5 a second
  expect(admissions).toBeLessThanOrEqual(31);
});

test("a group is taken together or not at all", async () => {
  const { lab, askFor } = await start(bucket);
  const wide = askFor(5);
  const narrow = { ...askFor(5), name: "narrow", limits: { tokens: { ...windowed, limit: 5 } } };
  expect((await lab.decide(wide, narrow)).map(({ admitted }) => admitted)).toEqual([true, true]);
  const [untouched, refused] = await lab.decide(wide, narrow);
  expect(untouched).toMatchObject({ admitted: true, tokens: { remaining: 15 } });
  expect(refused).toMatchObject({ admitted: false, retryAfterMs: 1_000 });
});
