import { describe, expect, test } from "vitest";

import { judge, worst } from "../page/judge.ts";
import { mergeClients } from "../page/merge.ts";
import type { ClientState, RecentEvent } from "../page/state.ts";
import { circuit, clientState, instanceState, points, policyState } from "./page-state.ts";

function judged(client: ClientState | readonly ClientState[], events: readonly RecentEvent[] = []) {
  const clients = [client].flat();
  const [view] = mergeClients(clients.map((one, at) => instanceState(`web-${at}`, [one])));
  if (view === undefined) throw new Error("there is a client");
  const { condition, reasons } = judge(view, events);
  return [condition, ...reasons.map(({ text }) => text)];
}

const breaker = (state: object, more: object = {}) =>
  clientState({ policies: [policyState("circuit-breaker", { name: "deepseek", state, ...more })] });

describe("a client is", () => {
  test("calm, for which there is no reason", () => {
    expect(judged(breaker({ "": circuit("closed", { calls: 100, failures: 1 }) }))).toEqual(["calm"]);
  });

  test.each([
    [circuit("open", { openForMs: 4_000 }), "open", "Circuit deepseek is open; tried again in 4.0 s."],
    [circuit("open"), "open", "Circuit deepseek is open; tried again with the next call."],
    [circuit("forced-open"), "open", "Circuit deepseek is open, held by hand."],
    [circuit("half-open"), "degraded", "Circuit deepseek is half-open: a few calls try whether it is well."],
    [circuit("forced-closed"), "degraded", "Circuit deepseek is held closed by hand: it will not open."],
    [
      circuit("closed", { calls: 40, failures: 10 }),
      "degraded",
      "Circuit deepseek sees 25.0 % of its calls fail.",
    ],
  ])("what its circuit is: %o", (state, condition, text) => {
    expect(judged(breaker({ "": state }))).toEqual([condition, text]);
  });

  test("no worse for a circuit that refuses nobody", () => {
    expect(judged(breaker({ "": circuit("open") }, { mode: "off" }))).toEqual(["calm"]);
    expect(judged(breaker({ m: circuit("open") }, { mode: "shadow" }))).toEqual([
      "degraded",
      "Circuit deepseek / m would be open; it is in shadow.",
    ]);
  });

  test("open where it is on one instance", () => {
    const [open, closed] = [
      breaker({ "": circuit("open", { openForMs: 900 }) }),
      breaker({ "": circuit("closed") }),
    ];
    expect(judged([open, closed])).toEqual([
      "open",
      "Circuit deepseek is open on 1 of 2 instances; tried again in 900 ms.",
    ]);
  });

  test("refusing while it refuses, and not for what it did a while ago", () => {
    const refusalsBy = [{ policy: "slots", code: "BULKHEAD_FULL", count: 4 }];
    const refused = (...steps: readonly number[]) =>
      clientState({
        stats: {
          refusalsBy,
          series: { stepMs: 5_000, until: 0, points: points(...steps.map((step) => ({ refused: step }))) },
        },
      });
    expect(judged(refused(0, 1, 0, 3))).toEqual([
      "refusing",
      "4 calls refused in the last 15 s, most by slots (no permit free, and no place to wait).",
    ]);
    expect(judged(refused(4, 0, 0, 0))).toEqual(["calm"]);
  });

  test("degraded from one failure in twenty on", () => {
    expect(judged(clientState({ stats: { answered: 95, failed: 5 } }))).toEqual([
      "degraded",
      "5 of 100 calls failed (5.0 %) in the last 60 s.",
    ]);
    expect(judged(clientState({ stats: { answered: 96, failed: 4 } }))).toEqual(["calm"]);
  });

  test("degraded when it waits a minute for its first token", () => {
    const waits = (p99: number) =>
      clientState({ stats: { firstToken: { p50: 900, p90: 2_000, p99, max: p99, count: 200 } } });
    expect(judged(waits(61_000))).toEqual([
      "degraded",
      "One call in a hundred waits 61 s or more for its first token.",
    ]);
    expect(judged(waits(59_000))).toEqual(["calm"]);
  });

  test("degraded without retries, without its store, and without credit", () => {
    const client = clientState({
      retryBudget: { available: 0.4, ratio: 0.1 },
      policies: [policyState("bulkhead", { name: "slots", source: "local" })],
    });
    const account = (type: string, time: number): RecentEvent => ({
      type,
      client: "chat",
      time,
      account: "main",
    });
    expect(judged(client, [account("account-close", 5), account("account-open", 3)])).toEqual([
      "degraded",
      "slots: its shared store is away; it is decided by this process's share.",
      "Account main has no credit: none of its keys is used.",
      "The retry budget is empty: nothing is retried.",
    ]);
    expect(judged(clientState(), [account("account-open", 9), account("account-close", 5)])).toEqual([
      "calm",
    ]);
  });

  test("told with the gravest reason first, and with some of many", () => {
    const state = Object.fromEntries(
      ["a", "b", "c", "d", "e", "f", "g", "h"].map((key) => [key, circuit("half-open")]),
    );
    const [condition, first, ...rest] = judged({
      ...breaker({ ...state, z: circuit("open") }),
      draining: true,
    });
    expect([condition, first, rest.length, rest.at(-1)]).toEqual([
      "open",
      "Circuit deepseek / z is open; tried again with the next call.",
      6,
      "And 4 more reasons.",
    ]);
  });
});

test("of several the worst stands", () => {
  expect(worst(["calm", "refusing", "degraded"])).toBe("refusing");
  expect(worst([])).toBe("calm");
});
