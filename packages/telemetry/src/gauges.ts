import type {
  BreakwaterEvent,
  Listener,
  Managed,
  Policy,
  PolicySnapshot,
  Runtime,
  Watchable,
} from "@breakwater/core";

import { type Instrument, type InstrumentKey, INSTRUMENTS, type LabelName } from "./instruments.ts";
import type { LabelSet } from "./label-set.ts";
import type { MetricConfig } from "./metric-options.ts";

/** What a gauge shows for one set of labels. */
export interface Reading {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What is true at the moment at which it is asked for: nothing is kept, and so nothing can go stale. */
export interface Gauges {
  /** Of the events, those that say how accounts stand: no snapshot knows that. */
  readonly listen: Listener;
  read(): ReadonlyMap<InstrumentKey, readonly Reading[]>;
}

/** How what several policies or clients of one name show becomes one number. */
type Merge = (one: number, other: number) => number;
const SUM: Merge = (one, other) => one + other;
const MERGES: Readonly<Partial<Record<InstrumentKey, Merge>>> = {
  permitUsage: Math.max,
  rateLimitRemaining: Math.min,
};

type Put = (key: InstrumentKey, value: number, ...values: readonly string[]) => void;

/** @param failed told when a snapshot cannot be had, of a policy that somebody else wrote */
export function createGauges(
  watched: readonly Watchable[],
  { sets, runtime }: Pick<MetricConfig, "runtime" | "sets">,
  failed: (client: string) => void,
): Gauges {
  const gauges = new Map<InstrumentKey, Instrument>();
  for (const instrument of INSTRUMENTS)
    if (instrument.type === "gauge") gauges.set(instrument.key, instrument);
  const accounts = createAccounts(sets, runtime);

  return {
    listen: accounts.listen,
    read() {
      const found = new Map<InstrumentKey, Map<string, { labels: Record<string, string>; value: number }>>();
      for (const key of gauges.keys()) found.set(key, new Map());
      const put: Put = (key, value, ...values) => {
        const { labels } = gauges.get(key) as Instrument;
        const readings = found.get(key) as NonNullable<ReturnType<typeof found.get>>;
        const shown = labels.map((label, i) => sets[label].of(values[i] as string));
        const id = shown.join("\0");
        const known = readings.get(id);
        if (known !== undefined) known.value = (MERGES[key] ?? SUM)(known.value, value);
        else
          readings.set(id, {
            labels: Object.fromEntries(labels.map((label, i) => [label, shown[i] as string])),
            value,
          });
      };
      readClients(watched, put, failed);
      accounts.read(put);
      return new Map([...found].map(([key, readings]) => [key, [...readings.values()]]));
    },
  };
}

function readClients(watched: readonly Watchable[], put: Put, failed: (client: string) => void): void {
  /** One policy may stand in several clients; under one name it is one policy. */
  const seen = new Map<string, Set<Policy>>();
  for (const client of new Set(watched.flatMap((each) => each.managed()))) {
    let name = "";
    try {
      const snapshot = client.snapshot();
      ({ name } = snapshot);
      put("callsInFlight", snapshot.inFlight, name);
      put("draining", snapshot.draining ? 1 : 0, name);
      const { available, source } = snapshot.retryBudget;
      put("retryBudgetAvailable", available, name);
      if (source !== undefined) put("storeDegraded", source === "store" ? 0 : 1, name, "retry-budget");
      const known = seen.get(name) ?? new Set();
      seen.set(name, known);
      readPolicies(client, snapshot.policies, name, known, put);
    } catch {
      failed(name);
    }
  }
}

function readPolicies(
  { policies }: Managed,
  snapshots: readonly PolicySnapshot[],
  client: string,
  known: Set<Policy>,
  put: Put,
): void {
  for (const [i, policy] of policies.entries()) {
    const snapshot = snapshots[i];
    if (snapshot === undefined || known.has(policy)) continue;
    known.add(policy);
    readPolicy(policy, snapshot, client, put);
  }
}

function readPolicy(policy: Policy, { source, state }: PolicySnapshot, client: string, put: Put): void {
  const { kind, name } = policy;
  if (source !== undefined) put("storeDegraded", source === "store" ? 0 : 1, client, name);
  const mode = (policy.describe?.() as { readonly mode?: unknown } | undefined)?.mode;
  if (typeof mode === "string")
    for (const each of MODES) put("policyMode", mode === each ? 1 : 0, client, name, kind, each);
  if (typeof state !== "object" || state === null) return;
  READERS[kind]?.(state as Readonly<Record<string, unknown>>, (key, value, ...more) =>
    put(key, value, client, name, ...more),
  );
}

const MODES = ["enforce", "shadow", "off"];
const STATES = ["closed", "open", "half-open", "forced-open", "forced-closed"];

type Reader = (state: Readonly<Record<string, unknown>>, put: Put) => void;
type ByKey<T> = Readonly<Record<string, T>>;

const READERS: Readonly<Record<string, Reader>> = {
  "circuit-breaker"(state, put) {
    for (const each of STATES) put("breakerCircuits", 0, each);
    for (const { status } of Object.values(state as ByKey<{ readonly status: string }>))
      put("breakerCircuits", 1, status);
  },
  bulkhead: readPermits,
  adaptive: readPermits,
  "rate-limit"(state, put) {
    put("queueLength", total(state["queued"] as ByKey<number>));
    for (const left of Object.values(state["remaining"] as ByKey<ByKey<number>>))
      for (const [unit, amount] of Object.entries(left)) put("rateLimitRemaining", amount, unit);
  },
  cache({ bytes, entries }, put) {
    if (typeof bytes === "number") put("cacheBytes", bytes);
    if (typeof entries === "number") put("cacheEntries", entries);
  },
};

function readPermits(state: Readonly<Record<string, unknown>>, put: Put): void {
  const { limit, active, queued } = state as {
    readonly limit: number | ByKey<number>;
    readonly active: ByKey<number>;
    readonly queued: ByKey<number>;
  };
  put("permits", total(active));
  put("queueLength", total(queued));
  const keys = typeof limit === "number" ? Object.keys(active) : Object.keys({ ...limit, ...active });
  const limitOf = (key: string): number | undefined => (typeof limit === "number" ? limit : limit[key]);
  let room = 0;
  let fullest = 0;
  for (const key of keys) {
    const most = limitOf(key);
    if (most === undefined) continue; // forgotten, as one that nobody has used for longest
    room += most;
    const used = active[key] ?? 0;
    fullest = Math.max(fullest, most > 0 ? used / most : used > 0 ? 1 : 0);
  }
  // Where nobody has come yet, the limit is that of the first who does.
  put("permitLimit", room === 0 && typeof limit === "number" ? limit : room);
  put("permitUsage", fullest);
}

function total(amounts: ByKey<number>): number {
  return Object.values(amounts).reduce((sum, amount) => sum + amount, 0);
}

interface Account {
  closed: boolean;
  /** On the clock of the metrics: what was told of it holds until then. */
  lowUntil: number;
  /** By the characters that events show of them. */
  readonly disabled: Set<string>;
}

/** Disabled keys that are told apart, of one account. */
const MAX_KEYS = 1_000;

interface Accounts {
  readonly listen: Listener;
  read(put: Put): void;
}

/** How accounts stand, as far as was told. */
function createAccounts(sets: Readonly<Record<LabelName, LabelSet>>, runtime: Runtime): Accounts {
  const clients = new Map<string, Map<string, Account>>();

  function find(client: string, id: string): Account {
    const name = sets.client.of(client);
    const account = sets.account.of(id);
    let accounts = clients.get(name);
    if (accounts === undefined) clients.set(name, (accounts = new Map()));
    let known = accounts.get(account);
    if (known === undefined)
      accounts.set(account, (known = { closed: false, lowUntil: -Infinity, disabled: new Set() }));
    return known;
  }

  return {
    listen(event: BreakwaterEvent) {
      switch (event.type) {
        case "account-close":
        case "account-low":
        case "account-open": {
          const account = find(event.client, event.account);
          account.closed = event.type === "account-close";
          account.lowUntil = event.type === "account-low" ? runtime.now() + event.forMs : -Infinity;
          return;
        }
        case "key-disable": {
          const { disabled } = find(event.client, event.account);
          if (disabled.size < MAX_KEYS) disabled.add(event.key);
          return;
        }
        case "key-enable":
          find(event.client, event.account).disabled.delete(event.key);
          return;
        default:
      }
    },
    read(put) {
      for (const [client, accounts] of clients) {
        for (const [account, { closed, lowUntil, disabled }] of accounts) {
          put("accountState", closed ? 1 : 0, client, account, "closed");
          put("accountState", runtime.now() < lowUntil ? 1 : 0, client, account, "low");
          put("keyDisabled", disabled.size, client, account);
        }
      }
    },
  };
}
