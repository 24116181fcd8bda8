import {
  adaptive,
  bulkhead,
  circuitBreaker,
  createPipeline,
  guard,
  type Managed,
  rateLimit,
  retry,
  timeout,
} from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import { expect, test } from "vitest";

import { stateOf } from "./state.ts";
import { createStats } from "./stats.ts";

const shown = (client: Managed) => {
  const state = stateOf(
    "shown",
    client,
    createStats(createTestClock(), () => client.snapshot()),
  );
  // What cannot be sent would be lost on its way.
  expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  return state;
};

test("shows every policy with its options, its state and what can be done to it", () => {
  const pipeline = createPipeline(
    timeout({ total: "10s" }),
    retry({ when: () => true }),
    bulkhead({ name: "chat", concurrency: 5, mode: "shadow" }),
    adaptive({ name: "follows", concurrency: 5 }),
    rateLimit({ limits: { requests: { limit: 5, per: "1m" } }, key: () => "x" }),
    circuitBreaker({ name: "host" }),
    guard("own", { name: "mine", admit: () => undefined }),
  );
  const { inFlight, lints, policies } = shown(pipeline);
  expect(inFlight).toBe(0);
  expect(lints).toEqual(pipeline.describe().lints);
  expect(policies.map(({ can, kind, mode }) => ({ can, kind, mode }))).toEqual([
    { kind: "timeout", mode: "enforce", can: ["mode", "update"] },
    { kind: "retry", mode: "enforce", can: ["mode", "update"] },
    { kind: "bulkhead", mode: "shadow", can: ["mode", "update"] },
    { kind: "adaptive", mode: "enforce", can: ["mode", "update"] },
    { kind: "rate-limit", mode: "enforce", can: ["mode", "update"] },
    { kind: "circuit-breaker", mode: "enforce", can: ["force", "mode", "update"] },
    { kind: "own", mode: undefined, can: [] },
  ]);
  expect(policies[1]?.options).toMatchObject({ when: "(function)" });
  expect(policies[2]).toMatchObject({ options: { concurrency: 5 }, state: { limit: 5 } });
});

test("of many keys it shows those that an operator looks for, and says how many more there are", async () => {
  const keys = Array.from({ length: 300 }, (_, n) => `${n}`);
  const breaker = circuitBreaker<string>({
    name: "tenants",
    key: (tenant) => tenant,
    window: { calls: 1 },
    minimumCalls: 1,
  });
  const pipeline = createPipeline(breaker);
  for (const key of keys) {
    const fails = key === "250" || key === "299";
    await pipeline.outcome(() => (fails ? Promise.reject(new Error("down")) : key), { input: key });
  }
  const state = shown(pipeline).policies[0]?.state as Record<string, unknown>;
  expect(Object.keys(state)).toHaveLength(100);
  expect(state["250"]).toMatchObject({ status: "open" });
  expect(state["299"]).toMatchObject({ status: "open" });
  expect(state["…"]).toBe("and 201 more");
});

test("and of counts the highest", async () => {
  const bulk = bulkhead<string>({ name: "tenants", concurrency: 9, key: (tenant) => tenant });
  const pipeline = createPipeline(bulk);
  const ends: (() => void)[] = [];
  const hold = (input: string): void =>
    void pipeline.outcome(() => new Promise<void>((resolve) => ends.push(resolve)), { input });
  for (let n = 0; n < 150; n++) hold(`tenant ${n}`);
  for (let n = 0; n < 3; n++) hold("tenant 149");
  expect(shown(pipeline).policies[0]?.state).toMatchObject({
    active: { "tenant 149": 4, "…": "and 51 more" },
  });
  for (const end of ends) end();
});
