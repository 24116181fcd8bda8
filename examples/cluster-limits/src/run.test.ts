import { programOf } from "@breakwater-internal/redis-server/fork";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { afterAll, beforeAll, expect, test } from "vitest";

import { LIMITS, PROCESSES } from "./limits.ts";
import { run, type Summary } from "./run.ts";
import type { Seen } from "./view.ts";

const redis = useRedis();
const program = await programOf(new URL("./process.ts", import.meta.url));
afterAll(() => program.remove());

let summary: Summary;
const seen: Seen[] = [];

beforeAll(async () => {
  summary = await run({
    redis: redis.url,
    seconds: 10,
    kill: true,
    show: (now) => seen.push(now),
    start: (argument) => program.start(argument),
  });
}, 60_000);

/** What may pass in that time. A call arrives a little after it was let go: a second for all of them together. */
const allowed = ({ spanSeconds }: Summary): number => LIMITS.burst + LIMITS.perSecond * (spanSeconds + 1);

test("four processes never send more than the account allows", () => {
  expect(summary.admitted).toBeLessThanOrEqual(allowed(summary));
  expect(summary.mostInFlight).toBeLessThanOrEqual(LIMITS.concurrency);
  expect(summary.turnedAway).toBe(0);
});

test("who is left when one is killed has all of it again", () => {
  expect(seen.at(-1)?.members.filter(({ alive }) => alive)).toHaveLength(PROCESSES - 1);
  // Without the permits of the one that was killed it would be less by what he held.
  expect(summary.lastQuarterPerSecond).toBeGreaterThan(LIMITS.perSecond * 0.6);
  expect(summary.failed).toBe(0);
});

test("all of them were asked for more than there is, and shared it", () => {
  const { members } = seen.at(-1) as Seen;
  for (const { answered, refused } of members) {
    expect(answered).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
  }
  expect(members.filter(({ alive }) => alive).map(({ decidedBy }) => decidedBy)).toEqual(
    Array.from({ length: PROCESSES - 1 }, () => "store"),
  );
});

test("with the same limits in each process by itself the account is overrun", async () => {
  const alone = await run({
    redis: redis.url,
    seconds: 3,
    kill: false,
    apart: true,
    show: () => {},
    start: (argument) => program.start(argument),
  });
  expect(alone.admitted).toBeGreaterThan(allowed(alone));
  expect(alone.turnedAway).toBeGreaterThan(0);
}, 60_000);
