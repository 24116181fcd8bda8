import {
  type Lint,
  type Managed,
  type Mode,
  plainData,
  type Policy,
  type StoreSource,
} from "@breakwater/core";

import type { RecentEvent } from "./recent.ts";
import type { ClientStats, Stats } from "./stats.ts";

/** What `GET /state` answers. */
export interface AdminState {
  readonly service: string;
  readonly title: string;
  /** Who asks, if he has a name. */
  readonly by?: string;
  readonly may: "see" | "change";
  /** Whether other instances can be seen, with `?scope=all`, and changed. */
  readonly shared: boolean;
  readonly instances: readonly InstanceState[];
  /** Why others are not shown. */
  readonly instancesError?: string;
}

/** One process, or one admin of several in a process. */
export interface InstanceState {
  readonly instance: string;
  /** When this was so, in ms since 1970; so is `startedAt`. */
  readonly at: number;
  readonly startedAt: number;
  readonly clients: readonly ClientState[];
  /** The last ones that are worth telling, oldest first. */
  readonly events: readonly RecentEvent[];
}

/** One client or pipeline. */
export interface ClientState {
  /** Of clients whose names are alike, with a number: `deepseek#2`. */
  readonly name: string;
  readonly inFlight: number;
  readonly draining: boolean;
  readonly retryBudget: { readonly available: number; readonly ratio: number; readonly source?: StoreSource };
  /** Outermost first. */
  readonly policies: readonly PolicyState[];
  readonly lints: readonly Lint[];
  readonly stats: ClientStats;
}

/** One policy. What has no JSON is told by what it is, and of many keys a hundred are shown. */
export interface PolicyState {
  readonly kind: string;
  readonly name: string;
  readonly mode?: Mode;
  /** Over a shared store: where its last decision came from. */
  readonly source?: StoreSource;
  /** The effective options. */
  readonly options: unknown;
  /** Its snapshot. */
  readonly state: unknown;
  /** What a change may be: `mode` is an update, too. */
  readonly can: readonly ("force" | "mode" | "update")[];
}

/** @param name what it is called here */
export function stateOf(name: string, client: Managed, stats: Stats): ClientState {
  const snapshot = client.snapshot();
  const { lints, policies: described } = client.describe();
  const { draining, inFlight, retryBudget } = snapshot;
  return {
    name,
    inFlight,
    draining,
    retryBudget,
    policies: snapshot.policies.map(({ kind, name: policy, source, state }, position): PolicyState => {
      const options = described[position]?.options ?? {};
      const mode = modeIn(options);
      return {
        kind,
        name: policy,
        ...(mode !== undefined && { mode }),
        ...(source !== undefined && { source }),
        options: plainData(options),
        state: plainData(foremost(state)) ?? null,
        can: abilitiesOf(client.policies[position], mode),
      };
    }),
    lints,
    stats: stats.read(snapshot),
  };
}

function modeIn({ mode }: Readonly<Record<string, unknown>>): Mode | undefined {
  return mode === "enforce" || mode === "shadow" || mode === "off" ? mode : undefined;
}

function abilitiesOf(policy: Policy | undefined, mode: Mode | undefined): PolicyState["can"] {
  if (policy === undefined) return [];
  const changes = policy.update === undefined ? [] : (["update"] as const);
  return [
    ...("force" in policy ? (["force"] as const) : []),
    ...(changes.length > 0 && mode !== undefined ? (["mode"] as const) : []),
    ...changes,
  ];
}

/** Of many keys those that an operator looks for: circuits that are not closed, counts that are high. */
function foremost(state: unknown): unknown {
  if (!isPlain(state)) return state;
  const members = Object.entries(state).map(([name, value]): [string, unknown] => [
    name,
    isPlain(value) ? ofManyKeys(value) : value,
  ]);
  return ofManyKeys(Object.fromEntries(members));
}

function ofManyKeys(state: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const entries = Object.entries(state);
  if (entries.length <= SHOWN) return state;
  // Chosen here and not only put in front: keys that are numbers stay where they are.
  const shown = entries.toSorted(([, a], [, b]) => weightOf(b) - weightOf(a)).slice(0, SHOWN);
  return { ...Object.fromEntries(shown), "…": `and ${entries.length - SHOWN} more` };
}

/** With the one that tells of the others, as many as `plainData` shows. */
const SHOWN = 99;

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function weightOf(value: unknown): number {
  if (typeof value === "number") return value;
  const status = (value as { readonly status?: unknown } | null | undefined)?.status;
  return status === undefined || status === "closed" ? 0 : 1;
}
