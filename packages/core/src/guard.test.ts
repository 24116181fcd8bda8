import { describe, expect, it } from "vitest";

import { forEachKind } from "../../testing/src/index.ts";
import {
  bulkhead,
  circuitBreaker,
  createClient,
  createMemoryRateLimitStore,
  createPipeline,
  guard,
  type PermitAsk,
  type PermitReply,
  rateLimit,
  StoreError,
} from "./index.ts";

describe("a guard's callback that throws", () => {
  const broken = new Error("no such plan");
  const fail = (): never => {
    throw broken;
  };
  const limit = { requests: { limit: 1, per: 1_000 } };

  forEachKind(({ kind, upstream }) => {
    it(`is the caller's fault, comes out as it is, and sends nothing (answered ${kind})`, async () => {
      let sent = 0;
      for (const policy of [
        bulkhead({ concurrency: 1, key: fail }),
        circuitBreaker({ key: fail }),
        rateLimit({ key: fail, limits: limit }),
        rateLimit({ limits: fail }),
        rateLimit({ limits: { tokens: { limit: 1, per: 1_000 } }, cost: fail }),
      ]) {
        const ask = createClient(
          upstream(() => ++sent),
          policy,
        );
        const outcome = await ask.outcome("q");
        expect(outcome).toMatchObject({ status: "failed", fault: "caller", retryable: false });
        expect(outcome.status === "failed" && outcome.error).toBe(broken);
      }
      expect(sent).toBe(0);
    });
  });
});

describe("a store", () => {
  const permits = (decide: () => PermitReply) => ({
    out: 0,
    decide,
    decideAll(this: { out: number }, asks: readonly PermitAsk[]): PermitReply[] {
      this.out += asks.length;
      return asks.map(decide);
    },
  });
  const guards = (store: ReturnType<typeof permits>) =>
    ["a", "b"].map((name) =>
      guard<unknown, PermitAsk, PermitReply>("test", {
        name,
        store,
        ask: () => ({ kind: "permit", name, key: "", limit: 1 }),
        judge: () => undefined,
      }),
    );

  it("that throws instead of rejecting did not decide either, alone and in a group", async () => {
    const store = permits(() => {
      throw new Error("not connected");
    });
    const [one, other] = guards(store) as [ReturnType<typeof guard>, ReturnType<typeof guard>];
    for (const pipeline of [createPipeline(one), createPipeline(one, other)]) {
      const outcome = await pipeline.outcome(() => 1);
      expect(outcome).toMatchObject({ status: "failed", fault: "overload", retryable: true });
      expect(outcome.status === "failed" && StoreError.isInstance(outcome.error)).toBe(true);
    }
  });

  it("is asked for a group as an object of its own, so that it may be a class", async () => {
    const store = permits(() => ({ granted: true, active: 1 }));
    expect((await createPipeline(...guards(store)).outcome(() => 1)).status).toBe("answered");
    expect(store.out).toBe(2);
  });

  it("that two guards of one name go by is asked by one after the other: together they would take what is there twice", async () => {
    const store = createMemoryRateLimitStore();
    const once = () => rateLimit({ name: "same", store, limits: { requests: { limit: 3, per: "1h" } } });
    const twice = createPipeline(once(), once());
    const outcomes = [await twice.outcome(() => 1), await twice.outcome(() => 1)];
    expect(outcomes.map(({ status }) => status)).toEqual(["answered", "refused"]);
    expect(twice.describe().policies.some((policy) => "together" in policy)).toBe(false);
  });
});
