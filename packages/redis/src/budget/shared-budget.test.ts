import type { BudgetReply, RetryBudgetRules } from "@breakwater/core";
import { describe, expect, it } from "vitest";

import { type Link, LinkError } from "../connection/link.ts";
import { createScope } from "../keys.ts";
import type { Agreement } from "../presence/agreement.ts";
import type { Presence } from "../presence/presence.ts";
import { createSharedBudget } from "./shared-budget.ts";

const RULES: RetryBudgetRules = { perSecond: 8, ratio: 0.5, minRatio: 0.125 };

/** A link whose end a test holds in its hand, and what a budget says on it. */
function bench(outage: "local" | "open" | "closed" = "local") {
  const told: { calls: number; attempts: number; failures: number; owed: number; want: number }[] = [];
  const redis = {
    up: true,
    ready: undefined as Promise<void> | undefined,
    answer: async (): Promise<unknown> => [1, 5, "0.25"],
  };
  const link: Pick<Link, "run" | "up"> = {
    get up() {
      return redis.up;
    },
    async run(_script, _keys, args) {
      const [, , , , calls, attempts, failures, owed, want] = args as number[];
      told.push({ calls, attempts, failures, owed, want } as (typeof told)[number]);
      return redis.answer();
    },
  };
  const presence: Pick<Presence, "ready" | "instances" | "learnUntil"> = {
    ready: () => redis.ready,
    instances: 4,
    learnUntil: 0,
  };
  const differing: { mismatch?: { ours: object; holds: object } } = {};
  const agreement: Agreement = {
    on: (_terms, _name, config) => ({ config, ...(differing as object) }),
  };
  const scope = createScope("test");
  const context = { link: link as Link, presence: presence as Presence, agreement, scope };
  const budget = createSharedBudget(context, "budget", RULES, outage);
  return { budget, told, redis, differing };
}

/** As many retries as that, asked for at the same time; those that were granted. */
async function granted(take: () => BudgetReply | Promise<BudgetReply>, count: number): Promise<number> {
  const replies = await Promise.all(Array.from({ length: count }, async () => take()));
  return replies.filter((reply) => reply.granted).length;
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a budget that is shared", () => {
  it("tells what came in once a second, and has no timer", async () => {
    const { budget, told } = bench();
    for (let at = 0; at <= 3_000; at += 100) {
      budget.onCall(at);
      budget.onAttempt(at % 200 === 0, at);
      await settled();
    }
    expect(told).toEqual([
      { calls: 1, attempts: 1, failures: 1, owed: 0, want: 0 },
      { calls: 10, attempts: 10, failures: 5, owed: 0, want: 0 },
      { calls: 10, attempts: 10, failures: 5, owed: 0, want: 0 },
      { calls: 10, attempts: 10, failures: 5, owed: 0, want: 0 },
    ]);
  });

  it("asks once for all who want a retry at the same time, and tells what came in before", async () => {
    const { budget, told, redis } = bench();
    budget.onCall(0);
    await settled();
    redis.answer = async () => [3, 0, "0.5"];
    for (let i = 0; i < 7; i++) budget.onCall(1);
    expect(await granted(() => budget.take(1), 5)).toBe(3);
    expect(told.slice(1)).toEqual([{ calls: 7, attempts: 0, failures: 0, owed: 0, want: 5 }]);
    expect([budget.available(1), budget.ratio]).toEqual([0, 0.5]);
  });

  it("goes by this process's share while Redis is away, beginning with nothing", async () => {
    const { budget, told, redis } = bench();
    await budget.take(0);
    expect(budget.ratio).toBe(0.25);
    redis.up = false;
    expect(budget.take(0)).toEqual({ granted: false, source: "local" });
    expect(await granted(() => budget.take(1_000), 10)).toBe(2);
    for (let i = 0; i < 8; i++) budget.onCall(1_000); // a quarter each, as narrow as it was
    expect(await granted(() => budget.take(1_000), 10)).toBe(2);
    expect(budget.ratio).toBe(0.25);
    expect(told).toHaveLength(1);
  });

  it("pays back what it spent meanwhile beyond what its own calls brought", async () => {
    const { budget, told, redis } = bench();
    await budget.take(0);
    redis.up = false;
    await budget.take(1_000);
    expect(await granted(() => budget.take(3_000), 10)).toBe(4);
    for (let i = 0; i < 6; i++) budget.onCall(3_000);
    redis.up = true;
    expect(await budget.take(3_000)).toEqual({ granted: true, source: "store" });
    expect(told.at(-1)).toEqual({ calls: 0, attempts: 0, failures: 0, owed: 2.5, want: 1 });
    await budget.take(3_000);
    expect(told.at(-1)).toMatchObject({ owed: 0 });
  });

  it("comes back by the calls alone, if nobody wants a retry", async () => {
    const { budget, redis } = bench();
    redis.up = false;
    await budget.take(0);
    redis.up = true;
    redis.answer = async () => [0, 7, "0.5"];
    budget.onCall(1_000);
    await settled();
    expect(budget.available(1_000)).toBe(7);
  });

  it("answers itself when Redis fails, and gives nothing twice for it", async () => {
    const { budget, redis } = bench();
    redis.answer = () => Promise.reject(new LinkError("no answer", true));
    expect(await granted(() => budget.take(0), 5)).toBe(0);
    expect(await granted(() => budget.take(10_000), 50)).toBe(20);
    redis.answer = async () => [1, 5, "0.5"];
    expect(await budget.take(10_000)).toEqual({ granted: true, source: "store" });
    redis.answer = () => Promise.reject(new LinkError("no answer", true));
    expect(await granted(() => budget.take(10_000), 50)).toBe(0);
  });

  it("answers everybody where one message fails while the next is prepared", async () => {
    const { budget, redis } = bench();
    let fail = (_: unknown): void => {};
    redis.answer = () => new Promise((_, reject) => (fail = reject));
    const first = budget.take(0);
    await settled();
    let greet = (): void => {};
    redis.ready = new Promise((resolve) => (greet = resolve));
    redis.answer = async () => [1, 5, "0.5"];
    const second = budget.take(0);
    fail(new LinkError("no answer", true));
    await settled();
    greet();
    expect(await Promise.all([first, second])).toEqual([
      { granted: false, source: "local" },
      { granted: true, source: "store" },
    ]);
  });

  it.each([
    ["open", true],
    ["closed", false],
  ] as const)("%s: does as it is told while Redis is away", async (outage, expected) => {
    const { budget, redis } = bench(outage);
    redis.up = false;
    expect(budget.take(0)).toEqual({ granted: expected, source: outage });
    redis.up = true;
    redis.answer = () => Promise.reject(new LinkError("no answer", true));
    expect(await budget.take(0)).toEqual({ granted: expected, source: outage });
  });

  it("says once that processes differ about it", async () => {
    const { budget, differing } = bench();
    differing.mismatch = { ours: { perSecond: 8 }, holds: { perSecond: 4 } };
    expect(await budget.take(0)).toEqual({ granted: true, source: "store", mismatch: differing.mismatch });
    delete differing.mismatch;
    expect(await budget.take(0)).toEqual({ granted: true, source: "store" });
  });
});
