import { describe, expect, test } from "vitest";

import { type ClientView, mergeClients, queuedOf } from "../page/merge.ts";
import type { ClientState, PolicyState } from "../page/state.ts";
import { circuit, clientState, instanceState, points, policyState } from "./page-state.ts";

/** The one client of several instances, `web-1`, `web-2`, … */
function merged(...clients: readonly ClientState[]): ClientView {
  const [first, ...others] = mergeClients(
    clients.map((client, at) => instanceState(`web-${at + 1}`, [client])),
  );
  expect(others).toEqual([]);
  return first as ClientView;
}

const stateOf = (...policies: readonly PolicyState[]): unknown =>
  merged(...policies.map((policy) => clientState({ policies: [policy] }))).policies[0]?.state;

describe("clients of several instances", () => {
  test("are one where they have one name, in order, and each alone where they do not", () => {
    const views = mergeClients([
      instanceState("web-1", [clientState({ name: "a" }), clientState({ name: "b" })]),
      instanceState("web-2", [clientState({ name: "b" }), clientState({ name: "c" })]),
    ]);
    expect(views.map(({ name, instances }) => [name, instances])).toEqual([
      ["a", 1],
      ["b", 2],
      ["c", 1],
    ]);
  });

  test("have the sum of their counts, and the percentiles of the one that is worst", () => {
    const of = (p99: number) => ({ p50: 100, p90: 200, p99, max: p99, count: 9 });
    const { stats, worst, inFlight, retryBudget } = merged(
      clientState({
        inFlight: 2,
        stats: { calls: 3, tokens: 5, costUsd: 0.5, firstToken: of(300), duration: of(900) },
      }),
      clientState({
        inFlight: 1,
        retryBudget: { available: 0, ratio: 1 },
        stats: { calls: 4, tokens: 1, firstToken: of(700), duration: of(800) },
      }),
    );
    expect(stats).toMatchObject({ calls: 7, tokens: 6, costUsd: 0.5, wasteUsd: null });
    expect([stats.firstToken?.p99, stats.duration?.p99]).toEqual([700, 900]);
    expect(worst).toEqual({ firstToken: "web-2", duration: "web-1" });
    expect([inFlight, retryBudget.available]).toEqual([3, 0]);
  });

  test("have their steps added up where they are of one time, although they do not end at once", () => {
    const { series } = merged(
      clientState({
        stats: {
          series: {
            stepMs: 5_000,
            until: 100_000,
            points: points({ answered: 1 }, { answered: 2, firstTokenP99: 9 }),
          },
        },
      }),
      clientState({
        stats: {
          series: {
            stepMs: 5_000,
            until: 95_000,
            points: points({ answered: 8 }, { answered: 16, firstTokenP99: 4 }),
          },
        },
      }),
    ).stats;
    expect(series.until).toBe(100_000);
    expect(series.points.map(({ answered }) => answered)).toEqual([17, 2]);
    expect(series.points.map(({ firstTokenP99 }) => firstTokenP99)).toEqual([4, 9]);
  });

  test("are of one time although their clocks are not", () => {
    const seriesUntil = (until: number) =>
      clientState({
        stats: { series: { stepMs: 5_000, until, points: points({}, {}, {}, {}, { answered: 1 }) } },
      });
    const answeredBy = (...untils: readonly number[]) =>
      merged(...untils.map(seriesUntil)).stats.series.points.map(({ answered }) => answered);
    expect(answeredBy(600_000, 600_000 - 400_000)).toEqual([0, 1, 0, 0, 1]);
    expect(answeredBy(600_000, 600_000 + 400_000)).toEqual([0, 0, 0, 0, 2]);
  });

  test("have their refusals added up, most first", () => {
    const refusal = (policy: string, count: number) => ({ policy, code: "RATE_LIMITED", count });
    const { refusalsBy } = merged(
      clientState({ stats: { refusalsBy: [refusal("a", 3), refusal("b", 2)] } }),
      clientState({ stats: { refusalsBy: [refusal("b", 2)] } }),
    ).stats;
    expect(refusalsBy).toEqual([refusal("b", 4), refusal("a", 3)]);
  });
});

describe("policies of several instances", () => {
  test("show each circuit as it is where it is worst, and on how many it is so", () => {
    expect(
      stateOf(
        policyState("circuit-breaker", {
          state: { "": circuit("closed", { calls: 10, failures: 1 }), a: circuit("open") },
        }),
        policyState("circuit-breaker", {
          state: { "": circuit("open", { openForMs: 900, calls: 4, failures: 4 }) },
        }),
        policyState("circuit-breaker", { state: { "": circuit("open", { openForMs: 1_200 }) } }),
      ),
    ).toMatchObject({
      "": { status: "open", on: 2, openForMs: 1_200, calls: 14, failures: 5 },
      a: { status: "open", on: 1 },
    });
  });

  test("have permits each, unless they share them", () => {
    const own = (active: number) =>
      policyState("bulkhead", { state: { limit: 5, active: { "": active }, queued: { "": 1 } } });
    expect(stateOf(own(2), own(3))).toEqual({ limit: 10, active: { "": 5 }, queued: { "": 2 } });
    const shared = (active: number) => ({ ...own(active), source: "store" as const });
    expect(stateOf(shared(2), shared(3))).toEqual({ limit: 5, active: { "": 3 }, queued: { "": 2 } });
  });

  test("of one limit that all share have what is left where least is", () => {
    const left = (requests: number) =>
      policyState("rate-limit", { source: "store", state: { remaining: { "": { requests } }, queued: {} } });
    expect(stateOf(left(7), left(3))).toMatchObject({ remaining: { "": { requests: 3 } } });
  });

  test("of which some have not counted a key yet have all of its limit there", () => {
    const options = { limits: { requests: { limit: 10, per: "1s" } } };
    const left = (remaining: object) =>
      policyState("rate-limit", { options, state: { remaining, queued: {} } });
    expect(stateOf(left({ a: { requests: 3 } }), left({ b: { requests: 9 } }))).toMatchObject({
      remaining: { a: { requests: 13 }, b: { requests: 19 } },
    });
  });

  test("tell where they differ", () => {
    const { policies } = merged(
      clientState({ policies: [policyState("retry", { mode: "enforce" })] }),
      clientState({ policies: [policyState("retry", { mode: "shadow", source: "local" })] }),
    );
    expect(policies).toMatchObject([{ modes: ["enforce", "shadow"], degraded: 1, copies: 1 }]);
  });

  test("are called by their names where versions have them at other places, or by their places where names are alike", () => {
    const named = (...names: readonly string[]) =>
      clientState({ policies: names.map((name) => policyState("retry", { name })) });
    const targets = (...clients: readonly ClientState[]) =>
      merged(...clients).policies.map(({ name, target }) => [name, target]);
    expect(targets(named("a", "b"), named("new", "a", "b"))).toEqual([
      ["a", "a"],
      ["b", "b"],
      ["new", "new"],
      ["a", "a"],
      ["b", "b"],
    ]);
    expect(targets(named("a", "b", "a"), named("b", "b"))).toEqual([
      ["a", 0],
      ["b", 1],
      ["a", 2],
      ["b", 0],
    ]);
  });

  test("of another version stand beside the others", () => {
    const { policies } = merged(
      clientState({ policies: [policyState("retry")] }),
      clientState({ policies: [policyState("hedge", { state: { odd: ["x", null, 3] } })] }),
    );
    expect(policies.map(({ kind }) => kind)).toEqual(["retry", "hedge"]);
  });

  test("wait in queues", () => {
    const policies = [
      policyState("bulkhead", { state: { limit: 1, active: {}, queued: { a: 2, b: 3, "…": "and 4 more" } } }),
    ];
    expect(queuedOf(merged(clientState({ policies })))).toBe(5);
  });
});
