import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { createRetryBudget } from "@breakwater/core";
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createScope } from "../keys.ts";
import { budgetScript } from "./arithmetic.ts";

/** What the tests give as time, in place of the server's own. */
const GIVEN_CLOCK = "local now = tonumber(table.remove(ARGV))";
const { lua } = budgetScript(GIVEN_CLOCK);

const server = useRedis();
let redis: Redis;
beforeAll(() => void (redis = new Redis(server.url)));
afterAll(() => redis.disconnect());

interface Told {
  readonly calls?: number;
  readonly attempts?: number;
  readonly failures?: number;
  readonly owed?: number;
  readonly want?: number;
  readonly learn?: number;
}

let budgets = 0;

/** A budget in Redis at times that a test says, in ms. */
function budgetAt(rules = { perSecond: 8, ratio: 1, minRatio: 0.125 }) {
  const key = createScope("budget").key("budget", `${process.pid}:${budgets++}`);
  const tell = async (ms: number, told: Told = {}, given = rules) => {
    const { calls = 0, attempts = 0, failures = 0, owed = 0, want = 0, learn = 0 } = told;
    const { perSecond, ratio, minRatio } = given;
    const args = [learn * 1_000, perSecond, ratio, minRatio, calls, attempts, failures, owed, want];
    const reply = await redis.eval(lua, 1, key, ...args, ms * 1_000);
    const [granted, available, now] = reply as [number, number, string];
    return { granted, available, ratio: Number(now) };
  };
  return { key, tell };
}

/** A tenth of them, their halves and all sums are exact in binary: then it is no matter how a sum is put together. */
const ratios = fc.constantFrom(0, 1.25, 2.5);
const minRatio = fc.constantFrom(0, 0.25, 0.625, 2);

describe("a budget in Lua", () => {
  it("decides as the one in memory does, whatever comes in when", async () => {
    const rules = fc.record({ perSecond: fc.nat(8), ratio: ratios, minRatio });
    const others = fc.option(fc.record({ perSecond: fc.nat(8), minRatio }), { nil: undefined });
    const step = fc.record({
      ms: fc.constantFrom(0, 250, 5_000, 10_000, 10_000),
      calls: fc.constantFrom(0, 50, 60, 61, 72, 75, 100, 125),
      attempts: fc.constantFrom(0, 50, 60, 100),
      failing: fc.constantFrom(0, 0.1, 0.2, 0.25, 0.5),
      want: fc.nat(40),
    });
    await fc.assert(
      fc.asyncProperty(
        rules,
        others,
        fc.array(step, { minLength: 1, maxLength: 25 }),
        async (first, second, steps) => {
          const { tell } = budgetAt();
          const memory = createRetryBudget(first);
          let now = 1_763_600_000_000;
          for (const [at, { ms, calls, attempts, failing, want }] of steps.entries()) {
            now += ms;
            const given = second !== undefined && at >= 4 ? { ...first, ...second } : first;
            if (at === 4) memory.configure(given);
            memory.available(now);
            for (let i = 0; i < calls; i++) memory.onCall(now);
            const failures = Math.floor(attempts * failing);
            for (let i = 0; i < attempts; i++) memory.onAttempt(i < failures, now);
            let granted = 0;
            for (let i = 0; i < want; i++) if (memory.take(now)) granted++;
            const expected = { granted, available: memory.available(now), ratio: memory.ratio };
            expect(await tell(now, { calls, attempts, failures, want }, given)).toEqual(expected);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it("begins with a second's worth, but with nothing where it may have been lost", async () => {
    expect(await budgetAt().tell(1_000)).toMatchObject({ available: 8 });
    const { tell } = budgetAt();
    expect(await tell(1_000, { learn: 1_001 })).toMatchObject({ available: 0 });
    expect(await tell(2_000, { learn: 1_001 })).toMatchObject({ available: 8 });
  });

  it.each([
    [120, 1],
    [121, 0.5],
  ])("narrows when calls come in faster by a fifth and fail more: %i after 100", async (calls, ratio) => {
    const { tell } = budgetAt();
    await tell(0, { calls: 100, attempts: 100 });
    await tell(10_000, { calls, attempts: 100, failures: 50 });
    expect((await tell(20_000)).ratio).toBe(ratio);
  });

  it("stays as narrow as it was, in proportion, when it is given another ratio", async () => {
    const { tell } = budgetAt();
    await tell(0, { calls: 100, attempts: 100 });
    await tell(10_000, { calls: 200, attempts: 100, failures: 50 });
    expect((await tell(20_000)).ratio).toBe(0.5);
    expect((await tell(20_000, {}, { perSecond: 8, ratio: 2, minRatio: 0 })).ratio).toBe(1);
    expect((await tell(20_000, {}, { perSecond: 8, ratio: 0, minRatio: 0 })).ratio).toBe(0);
    expect((await tell(20_000, {}, { perSecond: 8, ratio: 2, minRatio: 0 })).ratio).toBe(2);
  });

  it("takes what was spent elsewhere, down to nothing", async () => {
    const { tell } = budgetAt();
    expect(await tell(0, { owed: 2.5 })).toMatchObject({ available: 5 });
    expect(await tell(0, { owed: 100 })).toMatchObject({ available: 0 });
    expect(await tell(1_000)).toMatchObject({ available: 8 });
  });

  it("takes a clock that goes back for one that stood still", async () => {
    const hour = 3_600_000;
    const { tell } = budgetAt();
    await tell(2 * hour, { want: 3 });
    expect(await tell(hour)).toMatchObject({ available: 5 });
    expect(await tell(hour + 500)).toMatchObject({ available: 9 });
    // Forward again it is worth what any long pause is.
    expect(await tell(2 * hour)).toMatchObject({ available: 80 });
  });

  it("keeps no budget for ever", async () => {
    const { key, tell } = budgetAt();
    await tell(0);
    const ttl = await redis.pttl(key);
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(600_000);
  });
});
