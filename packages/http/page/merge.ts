import { circuitsOf, rank } from "./circuits.ts";
import type {
  ClientState,
  ClientStats,
  InstanceState,
  Percentiles,
  PolicyState,
  Series,
  SeriesPoint,
} from "./state.ts";
import { fields, numberOf, numbers, sum } from "./unknown.ts";

/** A client of one instance, or the same client of several as if it were one. */
export interface ClientView extends Omit<ClientState, "policies"> {
  readonly policies: readonly PolicyView[];
  /** On how many instances it is. */
  readonly instances: number;
  /** The instances whose percentiles are shown: those of several cannot be added up. */
  readonly worst: { readonly firstToken?: string; readonly duration?: string };
}

export interface PolicyView extends Omit<PolicyState, "mode"> {
  /** What a change calls it: its name, or its position where names are alike. */
  readonly target: string | number;
  /** Several, where instances differ. */
  readonly modes: readonly string[];
  /** How often its limit is there: instances that count for themselves have one each. */
  readonly copies: number;
  /** Instances on which a policy over a shared store goes by something else. */
  readonly degraded: number;
}

interface Placed {
  readonly instance: string;
  readonly client: ClientState;
}

/** Puts the clients of some instances together: equal names are one, in the order of the first instance that has them. */
export function mergeClients(instances: readonly InstanceState[]): readonly ClientView[] {
  const groups = new Map<string, Placed[]>();
  for (const { instance, clients } of instances) {
    const seen = new Map<string, number>();
    for (const client of clients) {
      // Of several with one name in an instance the first belongs to the first of another.
      const nth = seen.get(client.name) ?? 0;
      seen.set(client.name, nth + 1);
      const id = JSON.stringify([client.name, nth]);
      const group = groups.get(id);
      if (group === undefined) groups.set(id, [{ instance, client }]);
      else group.push({ instance, client });
    }
  }
  return [...groups.values()].map(mergeGroup);
}

function mergeGroup(group: readonly Placed[]): ClientView {
  const clients = group.map(({ client }) => client);
  const [first] = clients;
  if (first === undefined) throw new Error("a group has a client");
  const firstToken = worstOf(group, ({ stats }) => stats.firstToken);
  const answer = worstOf(group, ({ stats }) => stats.duration);
  return {
    name: first.name,
    instances: group.length,
    inFlight: sum(clients.map(({ inFlight }) => inFlight)),
    draining: clients.some(({ draining }) => draining),
    retryBudget: clients.reduce(
      (least, { retryBudget }) => (retryBudget.available < least.available ? retryBudget : least),
      first.retryBudget,
    ),
    policies: mergePolicies(clients),
    lints: mergeLints(clients),
    worst: {
      ...(firstToken.instance !== undefined && { firstToken: firstToken.instance }),
      ...(answer.instance !== undefined && { duration: answer.instance }),
    },
    stats: {
      ...mergeCounts(clients.map(({ stats }) => stats)),
      firstToken: firstToken.percentiles,
      duration: answer.percentiles,
    },
  };
}

function worstOf(
  group: readonly Placed[],
  of: (client: ClientState) => Percentiles | null,
): { readonly instance?: string; readonly percentiles: Percentiles | null } {
  let worst: { instance: string; percentiles: Percentiles } | undefined;
  for (const { instance, client } of group) {
    const percentiles = of(client);
    if (percentiles !== null && percentiles.p99 > (worst?.percentiles.p99 ?? -1))
      worst = { instance, percentiles };
  }
  return worst ?? { percentiles: null };
}

function mergeCounts(all: readonly ClientStats[]): Omit<ClientStats, "firstToken" | "duration"> {
  const total = (of: (stats: ClientStats) => number): number => sum(all.map(of));
  return {
    windowMs: Math.max(...all.map(({ windowMs }) => windowMs)),
    calls: total(({ calls }) => calls),
    answered: total(({ answered }) => answered),
    failed: total(({ failed }) => failed),
    refused: total(({ refused }) => refused),
    cancelled: total(({ cancelled }) => cancelled),
    attempts: total(({ attempts }) => attempts),
    retries: total(({ retries }) => retries),
    tokens: total(({ tokens }) => tokens),
    costUsd: addKnown(all.map(({ costUsd }) => costUsd)),
    wasteUsd: addKnown(all.map(({ wasteUsd }) => wasteUsd)),
    refusalsBy: mergeRefusals(all),
    series: mergeSeries(all.map(({ series }) => series)),
  };
}

/** What is not known of one is left out; what is known of none is not known. */
function addKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : sum(known);
}

function mergeRefusals(all: readonly ClientStats[]): ClientStats["refusalsBy"] {
  const found = new Map<string, { policy: string; code: string; count: number }>();
  for (const { refusalsBy } of all) {
    for (const { policy, code, count } of refusalsBy) {
      const id = JSON.stringify([policy, code]);
      const known = found.get(id);
      if (known === undefined) found.set(id, { policy, code, count });
      else known.count += count;
    }
  }
  return [...found.values()].toSorted((one, other) => other.count - one.count);
}

/** What an instance has said of itself is a few seconds old at most; what looks older, or of later, has another clock. */
const LATE_STEPS = 3;

/** Counts are added up, step by step back from the latest; of percentiles the highest stands. */
function mergeSeries(all: readonly Series[]): Series {
  const stepMs = Math.max(...all.map((series) => series.stepMs));
  const until = all[0]?.until ?? 0;
  const length = Math.max(...all.map(({ points }) => points.length));
  const merged: SeriesPoint[] = Array.from({ length }, () => NOTHING);
  for (const { points, until: end } of all) {
    const late = Math.min(LATE_STEPS, Math.max(0, Math.round((until - end) / stepMs)));
    for (const [index, point] of points.entries()) {
      const at = length - points.length + index - late;
      const known = merged[at];
      if (known !== undefined) merged[at] = addPoints(known, point);
    }
  }
  return { stepMs, until, points: merged };
}

/** A step in which nothing was told. */
export const NOTHING: SeriesPoint = {
  answered: 0,
  failed: 0,
  refused: 0,
  cancelled: 0,
  retries: 0,
  inFlight: 0,
  queued: 0,
  firstTokenP50: null,
  firstTokenP99: null,
};

const addPoints = (one: SeriesPoint, other: SeriesPoint): SeriesPoint => ({
  answered: one.answered + other.answered,
  failed: one.failed + other.failed,
  refused: one.refused + other.refused,
  cancelled: one.cancelled + other.cancelled,
  retries: one.retries + other.retries,
  inFlight: one.inFlight + other.inFlight,
  queued: one.queued + other.queued,
  firstTokenP50: higher(one.firstTokenP50, other.firstTokenP50),
  firstTokenP99: higher(one.firstTokenP99, other.firstTokenP99),
});

const higher = (one: number | null, other: number | null): number | null =>
  one === null ? other : other === null ? one : Math.max(one, other);

function mergeLints(clients: readonly ClientState[]): ClientState["lints"] {
  const lints = clients.flatMap((client) => client.lints);
  return [...new Map(lints.map((lint) => [JSON.stringify([lint.code, lint.policies]), lint])).values()];
}

function mergePolicies(clients: readonly ClientState[]): readonly PolicyView[] {
  const groups = new Map<
    string,
    { readonly position: number; named: boolean; readonly group: PolicyState[] }
  >();
  for (const { policies } of clients) {
    const names = policies.map(({ name }) => name);
    for (const [position, policy] of policies.entries()) {
      const id = JSON.stringify([position, policy.kind, policy.name]);
      // In another version it may stand elsewhere: there its name finds it as well.
      const named = names.indexOf(policy.name) === names.lastIndexOf(policy.name);
      const known = groups.get(id);
      if (known === undefined) groups.set(id, { position, named, group: [policy] });
      else {
        known.group.push(policy);
        known.named &&= named;
      }
    }
  }
  return [...groups.values()].map(({ group, named, position }) =>
    mergePolicy(group, (name) => (named ? name : position)),
  );
}

function mergePolicy(group: readonly PolicyState[], targetOf: (name: string) => string | number): PolicyView {
  const [first] = group;
  if (first === undefined) throw new Error("a group has a policy");
  const { mode: _, ...policy } = first;
  const shared = group.some(({ source }) => source !== undefined);
  return {
    ...policy,
    target: targetOf(policy.name),
    modes: [...new Set(group.map(({ mode }) => mode).filter((mode) => mode !== undefined))],
    copies: shared ? 1 : group.length,
    degraded: group.filter(({ source }) => source !== undefined && source !== "store").length,
    state: group.length === 1 ? first.state : mergeStates(first.kind, group, shared),
  };
}

function mergeStates(kind: string, group: readonly PolicyState[], shared: boolean): unknown {
  const states = group.map(({ state }) => state);
  if (kind === "circuit-breaker") return mergeCircuits(states);
  if (kind === "rate-limit" && !shared)
    return mergeNumbers(withWholeLimits(group), (_, values) => sum(values));
  // Each instance tells what the shared store last told it: of what is used the most, of what is left the least.
  return mergeNumbers(states, (path, values) => {
    if (!shared || path === "queued") return sum(values);
    return path === "remaining" ? Math.min(...values) : Math.max(...values);
  });
}

/** A key that an instance has not counted yet has all of its limit there. */
function withWholeLimits(group: readonly PolicyState[]): readonly unknown[] {
  const remainings = group.map(({ state }) => fields(fields(state)["remaining"]));
  const keys = new Set(remainings.flatMap((remaining) => Object.keys(remaining)));
  return group.map(({ options, state }, at) => {
    const whole = Object.fromEntries(UNITS.map((unit) => [unit, wholeLimit(options, unit)]));
    const remaining = [...keys].map((key): [string, unknown] => [key, remainings[at]?.[key] ?? whole]);
    return { ...fields(state), remaining: Object.fromEntries(remaining) };
  });
}

/** What a rate limit counts. */
export const UNITS: readonly string[] = ["requests", "tokens"];

/** All that there may be left of a rate limit; not known where a function says it. */
export function wholeLimit(options: unknown, unit: string): number | undefined {
  const { burst, limit } = fields(fields(fields(options)["limits"])[unit]);
  return numberOf(burst) ?? numberOf(limit);
}

/** Each circuit as it is where it is worst, with the calls of all. */
function mergeCircuits(states: readonly unknown[]): unknown {
  const found = new Map<string, ReturnType<typeof circuitsOf>[number]>();
  for (const state of states) {
    for (const circuit of circuitsOf(state)) {
      const known = found.get(circuit.key);
      if (known === undefined) {
        found.set(circuit.key, { ...circuit, on: 1 });
        continue;
      }
      const [worse, better] = rank(circuit.status) < rank(known.status) ? [circuit, known] : [known, circuit];
      const alike = worse.status === better.status;
      found.set(circuit.key, {
        ...worse,
        openForMs: alike ? Math.max(worse.openForMs, better.openForMs) : worse.openForMs,
        calls: worse.calls + better.calls,
        failures: worse.failures + better.failures,
        slow: worse.slow + better.slow,
        on: (worse.on ?? 1) + (alike ? (better.on ?? 1) : 0),
      });
    }
  }
  return Object.fromEntries(found);
}

/** Numbers at the same place in each, put together; `path` is the outermost field. */
function mergeNumbers(
  values: readonly unknown[],
  put: (path: string, values: readonly number[]) => number,
  path = "",
): unknown {
  const given = values.filter((value) => value !== undefined);
  const plain = given.map(numberOf).filter((value) => value !== undefined);
  if (plain.length > 0 && plain.length === given.length) return put(path, plain);
  const keys = new Set(given.flatMap((value) => Object.keys(fields(value))));
  if (keys.size === 0) return given[0];
  const merged = [...keys].map((key): [string, unknown] => [
    key,
    mergeNumbers(
      given.map((value) => fields(value)[key]),
      put,
      path === "" ? key : path,
    ),
  ]);
  return Object.fromEntries(merged);
}

/** Whether it is in this mode everywhere. */
export const isIn = ({ modes }: PolicyView, mode: string): boolean => modes.length === 1 && modes[0] === mode;

/** All that wait in the queues of a client's policies. */
export function queuedOf({ policies }: Pick<ClientView, "policies">): number {
  return sum(policies.flatMap(({ state }) => numbers(fields(state)["queued"]).map(([, value]) => value)));
}
