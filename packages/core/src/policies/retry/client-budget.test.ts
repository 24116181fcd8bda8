import { describe, expect, it } from "vitest";

import { createTestClock } from "../../../../testing/src/index.ts";
import { createClient } from "../../client.ts";
import { UpstreamError } from "../../errors.ts";
import type { BreakwaterEvent } from "../../events.ts";
import type { MaybePromise } from "../../handler.ts";
import { upstream } from "../../upstream.ts";
import { type BudgetReply, type BudgetStore, createMemoryBudgetStore } from "./budget-store.ts";
import { retry } from "./index.ts";

function down() {
  const seen = { calls: 0 };
  const up = upstream(async (_: string): Promise<string> => {
    seen.calls++;
    throw new UpstreamError("OVERLOADED", "busy", { status: 503, retryable: true });
  });
  return { up, seen };
}

/** A store elsewhere, whose answers to `take` a test gives. */
function elsewhere(take: (now: number) => MaybePromise<BudgetReply>): BudgetStore {
  const nothing = (): void => {};
  const budget = { onCall: nothing, onAttempt: nothing, take, ratio: 1, available: () => 3 };
  return { shared: true, budget: () => budget };
}

/** An answer that is given when a test says so. */
function later() {
  let resolve: (reply: BudgetReply) => void = () => undefined;
  const promise = new Promise<BudgetReply>((given) => (resolve = given));
  return { promise, resolve: (reply: BudgetReply) => resolve(reply) };
}

describe("the budget of a client", () => {
  it("is one for all clients that name it in a store", async () => {
    const clock = createTestClock();
    const { up, seen } = down();
    const budget = { store: createMemoryBudgetStore(), name: "both", perSecond: 2, ratio: 0 };
    const clients = [1, 2].map(() =>
      createClient({ upstream: up, runtime: clock, budget }, retry({ attempts: 9, baseDelay: 0 })),
    );
    await clock.until(Promise.all(clients.map(async (ask) => ask.outcome("x"))));
    expect(seen.calls).toBe(2 + 2);
    expect(clients.map((ask) => ask.snapshot().retryBudget)).toEqual([
      { available: 0, ratio: 0 },
      { available: 0, ratio: 0 },
    ]);
  });

  it("is the client's own without a store", async () => {
    const clock = createTestClock();
    const { up, seen } = down();
    const clients = [1, 2].map(() =>
      createClient(
        { upstream: up, runtime: clock, budget: { perSecond: 2, ratio: 0 } },
        retry({ attempts: 9, baseDelay: 0 }),
      ),
    );
    await clock.until(Promise.all(clients.map(async (ask) => ask.outcome("x"))));
    expect(seen.calls).toBe(2 + 4);
  });

  it("may answer later, and then its answer counts", async () => {
    const clock = createTestClock();
    const { up, seen } = down();
    let left = 2;
    const store = elsewhere(async () => ({ granted: left-- > 0, source: "store" }));
    const ask = createClient(
      { upstream: up, runtime: clock, budget: { store, name: "b" } },
      retry({ attempts: 9, baseDelay: 0 }),
    );
    expect(await clock.until(Promise.resolve(ask.outcome("x")))).toMatchObject({ status: "failed" });
    expect(seen.calls).toBe(3);
    expect(ask.snapshot().retryBudget).toEqual({ available: 3, ratio: 1, source: "store" });
  });

  it("does not hold up a caller who leaves meanwhile, and makes no attempt for him", async () => {
    const clock = createTestClock();
    const { up, seen } = down();
    const answer = later();
    const ask = createClient(
      { upstream: up, runtime: clock, budget: { store: elsewhere(() => answer.promise), name: "b" } },
      retry({ attempts: 9, baseDelay: 0 }),
    );
    const controller = new AbortController();
    const asked = ask("x", { signal: controller.signal }).catch((error: unknown) => error);
    await clock.settle();
    const reason = new Error("gone");
    controller.abort(reason);
    expect(await asked).toBe(reason);
    answer.resolve({ granted: true, source: "store" });
    await clock.settle();
    expect(seen.calls).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it("that answers so late that the wait does not fit any more ends the call now", async () => {
    const clock = createTestClock();
    clock.setRandom(0.99);
    const { up, seen } = down();
    const answer = later();
    const ask = createClient(
      { upstream: up, runtime: clock, budget: { store: elsewhere(() => answer.promise), name: "b" } },
      retry({ baseDelay: 100 }),
    );
    const events: BreakwaterEvent[] = [];
    ask.on((event) => events.push(event));
    const asked = ask.outcome("x", { deadline: 120 });
    await clock.advance(50);
    answer.resolve({ granted: true, source: "store" });
    expect(await asked).toMatchObject({ status: "failed", error: { message: "busy" } });
    expect(events).toContainEqual(expect.objectContaining({ type: "retry-stop", because: "deadline" }));
    expect(seen.calls).toBe(1);
  });

  it("tells where its decisions come from, and that numbers differ", async () => {
    const clock = createTestClock();
    const { up } = down();
    const mismatch = { ours: { perSecond: 10 }, holds: { perSecond: 5 } };
    const replies: BudgetReply[] = [
      { granted: true, source: "store", mismatch },
      { granted: true, source: "local" },
      { granted: true, source: "store" },
    ];
    const store = elsewhere(() => replies.shift() ?? { granted: false, source: "store" });
    const ask = createClient(
      { upstream: up, runtime: clock, budget: { store, name: "b" } },
      retry({ attempts: 9, baseDelay: 0 }),
    );
    const events: BreakwaterEvent[] = [];
    ask.on((event) => events.push(event));
    await clock.until(Promise.resolve(ask.outcome("x")));
    const told = events.filter(({ type }) => /^store-(degrade|recover)|^config/.test(type));
    expect(told).toEqual([
      expect.objectContaining({ type: "config-mismatch", policy: "b", ...mismatch }),
      expect.objectContaining({ type: "store-degrade", policy: "b", to: "local" }),
      expect.objectContaining({ type: "store-recover", policy: "b" }),
    ]);
  });

  it.each([
    [{ perSecond: Number.NaN }, "budget: perSecond must be a number of at least 0, got NaN"],
    [{ ratio: -1 }, "budget: ratio must be a number of at least 0, got -1."],
    [{ minRatio: "0.1" }, 'budget: minRatio must be a number of at least 0, got "0.1".'],
    [{ persecond: 1 }, 'budget: unknown option "persecond"; known are store, outage, perSecond,'],
    [{ name: "b" }, "budget: name says which budget of a store it is, and there is no store; leave it out."],
    [{ outage: "open" }, "budget: outage says what to do while a shared store is away"],
    [{ store: elsewhere(() => ({ granted: true })) }, "budget: name is required with a shared store"],
    [
      { store: elsewhere(() => ({ granted: true })), name: "b", outage: "half" },
      'budget: outage must be one of "local", "open", "closed", got "half".',
    ],
    [7, "budget: options must be an object, got 7."],
  ])("says what is wrong with %j", (budget, message) => {
    expect(() => createClient({ upstream: down().up, budget: budget as never })).toThrow(message);
  });
});
