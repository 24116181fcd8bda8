import { INSTANCE_LIMITS } from "@breakwater/core";

import { tabled, type Tabled, untabled } from "./instances-chart.ts";
import type { ClientState, InstanceState } from "./state.ts";

/** What an instance says to the others of itself. */
export interface Packed {
  readonly text: string;
  /** What was too much to tell. */
  readonly leftOut?: string;
}

/** Another number once it is read differently: two releases share a store while one replaces the other. */
const VERSION = 1;

/** What is told the less of, the more there is. */
const SHORTER: readonly (readonly [leftOut: string, (state: InstanceState) => InstanceState])[] = [
  ["charts", (state) => withClients(state, withoutChart)],
  ["events and charts", (state) => withClients({ ...state, events: [] }, withoutChart)],
  [
    "events, charts and policies",
    (state) =>
      withClients({ ...state, events: [] }, (client) => {
        const { stats, ...short } = withoutChart(client);
        return { ...short, policies: [], lints: [], stats: { ...stats, refusalsBy: [] } };
      }),
  ],
  ["clients", (state) => ({ ...state, events: [], clients: [] })],
];

function withClients(state: InstanceState, f: (client: ClientState) => ClientState): InstanceState {
  return { ...state, clients: state.clients.map(f) };
}

function withoutChart({ stats, ...client }: ClientState): ClientState {
  return { ...client, stats: { ...stats, series: { ...stats.series, points: [] } } };
}

/** As much of it as a store takes. */
export function packReport(state: InstanceState): Packed {
  let text = pack(state);
  if (fits(text)) return { text };
  for (const [leftOut, shorten] of SHORTER) {
    text = pack(shorten(state), leftOut);
    if (fits(text)) return { text, leftOut };
  }
  return { text, leftOut: "everything" }; // the name of an instance alone is not so long
}

function pack(state: InstanceState, leftOut?: string): string {
  return JSON.stringify({ v: VERSION, leftOut, state: tabled(state) });
}

function fits(text: string): boolean {
  return text.length <= INSTANCE_LIMITS.reportLength;
}

/** @returns nothing for what is of another release, or no report */
export function readReport(
  instance: string,
  text: string,
): { readonly state: InstanceState; readonly leftOut?: string } | undefined {
  const said = parseObject(text);
  const state = said?.["state"] as Partial<Tabled> | null | undefined;
  if (said?.["v"] !== VERSION || typeof state !== "object" || state === null) return undefined;
  const { at, clients, events, startedAt } = state;
  if (state.instance !== instance || typeof at !== "number" || typeof startedAt !== "number")
    return undefined;
  if (!Array.isArray(clients) || !Array.isArray(events)) return undefined;
  const leftOut = said["leftOut"];
  try {
    return { state: untabled(state as Tabled), ...(typeof leftOut === "string" && { leftOut }) };
  } catch {
    return undefined;
  }
}

/** @internal */
export function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
