import { NOTHING } from "../page/merge.ts";
import type { ClientState, InstanceState, PolicyState, SeriesPoint } from "../page/state.ts";

// States as `GET ./state` tells them, for tests of what the page makes of them.

export function points(...given: readonly Partial<SeriesPoint>[]): readonly SeriesPoint[] {
  return given.map((point) => ({ ...NOTHING, ...point }));
}

export function policyState(kind: string, more: Partial<PolicyState> = {}): PolicyState {
  return { kind, name: kind, options: {}, state: null, can: [], ...more };
}

export function clientState(
  more: Partial<Omit<ClientState, "stats">> & { readonly stats?: Partial<ClientState["stats"]> } = {},
): ClientState {
  return {
    name: "chat",
    inFlight: 0,
    draining: false,
    retryBudget: { available: 10, ratio: 1 },
    policies: [],
    lints: [],
    ...more,
    stats: {
      windowMs: 60_000,
      calls: 0,
      answered: 0,
      failed: 0,
      refused: 0,
      cancelled: 0,
      attempts: 0,
      retries: 0,
      tokens: 0,
      costUsd: null,
      wasteUsd: null,
      firstToken: null,
      duration: null,
      refusalsBy: [],
      series: { stepMs: 5_000, until: 100_000, points: points({}, {}, {}) },
      ...more.stats,
    },
  };
}

export function instanceState(
  instance: string,
  clients: readonly ClientState[],
  events: InstanceState["events"] = [],
): InstanceState {
  return {
    instance,
    at: 100_000,
    startedAt: 0,
    clients,
    events,
  };
}

export const circuit = (status: string, more: object = {}): object => ({
  status,
  epoch: 1,
  openForMs: 0,
  openings: 0,
  calls: 0,
  failures: 0,
  slow: 0,
  ...more,
});
