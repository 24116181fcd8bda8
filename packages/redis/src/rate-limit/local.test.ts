import type { RateLimitAsk, RateRules } from "@breakwater/core";
import { describe, expect, test } from "vitest";

import { createLocalLimits } from "./local.ts";

const limits: RateRules = {
  requests: { algorithm: "gcra", limit: 20, perMs: 1_000, burst: 20 },
  tokens: { algorithm: "gcra", limit: 2_000, perMs: 1_000, burst: 2_000 },
};

function askAt(now: number, changes: Partial<RateLimitAsk> = {}): RateLimitAsk {
  return {
    kind: "rate-limit",
    name: "l",
    key: "",
    limits,
    cost: { requests: 1, tokens: 10 },
    now,
    ...changes,
  };
}

describe("limits without Redis", () => {
  test("begin with nothing, and refill by this process's share", () => {
    const local = createLocalLimits(() => 2);
    expect(local.decide(askAt(5_000))).toMatchObject({ admitted: false, retryAfterMs: 100 });
    expect(local.decide(askAt(5_099)).admitted).toBe(false);
    expect(local.decide(askAt(5_100)).admitted).toBe(true);
    expect(local.decide(askAt(5_100)).admitted).toBe(false);
  });

  test("begin with nothing for each key, and each time", () => {
    const local = createLocalLimits(() => 1);
    local.decide(askAt(0));
    expect(local.decide(askAt(9_000)).admitted).toBe(true);
    expect(local.decide(askAt(9_000, { key: "other" })).admitted).toBe(false);
    local.end();
    expect(local.decide(askAt(9_001)).admitted).toBe(false);
  });

  test("follow how many processes there are", () => {
    let processes = 1;
    const local = createLocalLimits(() => processes);
    local.decide(askAt(0));
    processes = 4;
    expect(local.decide(askAt(0)).retryAfterMs).toBe(200);
  });

  test("say what was spent, for each key, without what was given back", () => {
    const local = createLocalLimits(() => 1);
    local.decide(askAt(0));
    const [one, two, other] = [askAt(500), askAt(500), askAt(500, { key: "other" })];
    const replies = [one, two].map((ask) => local.decide(ask));
    expect(replies.map(({ admitted }) => admitted)).toEqual([true, true]);
    local.decide(other);
    const [first, second] = replies as [ReturnType<typeof local.decide>, ReturnType<typeof local.decide>];
    expect(local.settle(one, first, { requests: 0, tokens: 25, now: 600 })).toBe(true);
    local.undo(two, second);
    expect(local.end()).toMatchObject([
      { ask: { key: "" }, requests: 1, tokens: 35 },
      { ask: { key: "other" }, requests: 0, tokens: 0 },
    ]);
    expect(local.end()).toEqual([]);
  });

  test("what was undone can be had again", () => {
    const local = createLocalLimits(() => 1);
    local.decide(askAt(0));
    const ask = askAt(50);
    const reply = local.decide(ask);
    expect(reply.admitted).toBe(true);
    expect(local.decide(ask).admitted).toBe(false);
    local.undo(ask, reply);
    expect(local.decide(ask).admitted).toBe(true);
  });

  test("know nothing of what was granted in an earlier outage", () => {
    const local = createLocalLimits(() => 1);
    local.decide(askAt(0));
    const reply = local.decide(askAt(50));
    local.end();
    const adjustment = { requests: -1, tokens: -10, now: 200 };
    expect(local.settle(askAt(50), reply, adjustment)).toBe(false);
    local.decide(askAt(100));
    expect(local.settle(askAt(50), reply, adjustment)).toBe(false);
    expect(local.decide(askAt(149)).admitted).toBe(false);
  });

  test("owe what a call used on top that Redis had admitted", () => {
    const local = createLocalLimits(() => 1);
    const earlier = askAt(0);
    local.owe(earlier, { requests: -1, tokens: 300, now: 1_000 });
    expect(local.decide(askAt(1_100)).admitted).toBe(false); // 300 are owed, 200 have come in
    expect(local.decide(askAt(1_160)).admitted).toBe(true);
    expect(local.end()).toMatchObject([{ requests: 1, tokens: 310 }]);
    local.owe(earlier, { requests: -1, tokens: 0, now: 2_000 });
    expect(local.end()).toEqual([]);
  });

  test("keep a bounded number of keys", () => {
    const local = createLocalLimits(() => 1);
    for (let i = 0; i < 10_500; i++) local.decide(askAt(i / 1_000, { key: `${i}` }));
    expect(local.end()).toHaveLength(10_000);
  });
});
