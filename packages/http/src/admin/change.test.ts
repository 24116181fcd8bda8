import { bulkhead, circuitBreaker, createPipeline, retry } from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import { describe, expect, test } from "vitest";

import { applyOrder, type Order, OrderError, readOrder } from "./change.ts";
import { createNumbers, named } from "./names.ts";
import { createStats } from "./stats.ts";

function clients() {
  const all = ["chat", "alike", "alike"].map((name) =>
    createPipeline(
      { name },
      bulkhead({ name: "twice", concurrency: 1 }),
      retry({ name: "twice" }),
      circuitBreaker({ name: "host" }),
    ),
  );
  const numberOf = createNumbers();
  const watched = all.map((client) => ({
    client,
    plainName: client.snapshot().name,
    number: numberOf(client.snapshot().name),
    stats: createStats(createTestClock(), client.snapshot),
  }));
  return { all, order: (order: Order) => applyOrder(named(watched), order, "ada") };
}

describe("an order", () => {
  test("is done to the one that it names", async () => {
    const { all, order } = clients();
    await order({ client: "alike#2", policy: "host", change: { force: "open" } });
    await order({ client: "chat", policy: 0, change: { update: { concurrency: 7 } } });
    const outcomes = all.map((client) => client.outcome(() => 1));
    expect(outcomes).toMatchObject([{ status: "answered" }, { status: "answered" }, { status: "refused" }]);
    expect(all[0]?.describe().policies[0]?.options).toMatchObject({ concurrency: 7 });
  });

  test("finds what is named alike by its kind", async () => {
    const { all, order } = clients();
    await order({ client: "chat", policy: "bulkhead", change: { update: { concurrency: 7 } } });
    await order({ client: "chat", policy: "circuit-breaker", change: { force: "open" } });
    expect(all[0]?.describe().policies[0]?.options).toMatchObject({ concurrency: 7 });
    expect(await all[0]?.outcome(() => 1)).toMatchObject({ status: "refused" });
  });

  test.each<[string, Order, number, string]>([
    [
      "no such client",
      { client: "chats", policy: 0, change: { force: "open" } },
      404,
      'no client "chats"; there is "chat", "alike#1", "alike#2"',
    ],
    [
      "several of that name",
      { client: "alike", policy: 0, change: { force: "open" } },
      409,
      '"alike#1", "alike#2"',
    ],
    [
      "no such policy",
      { client: "chat", policy: "none", change: { force: "open" } },
      404,
      'no policy "none"; there is 0 bulkhead "twice", 1 retry "twice", 2 circuit-breaker "host"',
    ],
    ["no such position", { client: "chat", policy: 3, change: { force: "open" } }, 404, "position 3"],
    [
      "several policies",
      { client: "chat", policy: "twice", change: { update: { mode: "off" } } },
      409,
      'by its kind or position: there is 0 bulkhead "twice", 1 retry "twice"',
    ],
    [
      "what it cannot do",
      { client: "chat", policy: 0, change: { force: "open" } },
      400,
      "only a circuit breaker",
    ],
    ["an unknown option", { client: "chat", policy: 0, change: { update: { limit: 1 } } }, 400, '"limit"'],
    [
      "a wrong number",
      { client: "chat", policy: 0, change: { update: { concurrency: -1 } } },
      400,
      "concurrency",
    ],
  ])("for %s changes nothing, and says why", async (_, given, status, said) => {
    const { all, order } = clients();
    const before = JSON.stringify(all.map((client) => [client.describe(), client.snapshot()]));
    const events: string[] = [];
    for (const client of all) client.on(({ type }) => events.push(type));
    const error = await order(given).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OrderError);
    expect(error).toMatchObject({ status, message: expect.stringContaining(said) as string });
    expect(JSON.stringify(all.map((client) => [client.describe(), client.snapshot()]))).toBe(before);
    expect(events).toEqual([]);
  });
});

describe("what was sent", () => {
  const whole = { client: "chat", policy: "host", change: { force: "open" } };

  test("is an order for this instance, unless it says for all", () => {
    expect(readOrder(JSON.stringify(whole))).toEqual({ order: whole, scope: "this" });
    expect(readOrder(JSON.stringify({ ...whole, scope: "all" }))).toEqual({ order: whole, scope: "all" });
  });

  test.each([
    ["nothing", ""],
    ["no JSON", "{oops"],
    ["a list", "[]"],
    ["null", "null"],
    ["no client", JSON.stringify({ ...whole, client: 1 })],
    ["no policy", JSON.stringify({ ...whole, policy: {} })],
    ["half a position", JSON.stringify({ ...whole, policy: 0.5 })],
    ["a position below all", JSON.stringify({ ...whole, policy: -1 })],
    ["no change", JSON.stringify({ ...whole, change: "open" })],
    ["an unknown scope", JSON.stringify({ ...whole, scope: "everything" })],
    ["an unknown member", JSON.stringify({ ...whole, by: "eve" })],
    ["a prototype", `{"__proto__": {"mode": "off"}, ${JSON.stringify(whole).slice(1)}`],
    [
      "a prototype far inside",
      JSON.stringify({ ...whole, change: 1 }).replace("1", '{"update": {"a": [{"__proto__": {}}]}}'),
    ],
    ["what is too deep", `${"[".repeat(30_000)}${"]".repeat(30_000)}`],
  ])("is a mistake where it is %s", (_, text) => {
    expect(() => readOrder(text)).toThrow(OrderError);
  });
});
