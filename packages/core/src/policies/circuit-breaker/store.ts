import type { MaybePromise } from "../../handler.ts";
import { createKeyed, type Keyed } from "../../internal/keyed.ts";
import type { DecisionStore, StoreAsk } from "../../store.ts";
import {
  type Admission,
  type BreakerConfig,
  type BreakerSnapshot,
  type BreakerState,
  createBreakerState,
  type Result,
  type Ticket,
  type Transition,
} from "./states.ts";

export interface BreakerAsk extends StoreAsk {
  readonly kind: "breaker";
  readonly name: string;
  readonly key: string;
  readonly config: BreakerConfig;
  readonly now: number;
  /** Uniform in [0, 1), for the ramp. */
  readonly random: number;
}

export interface BreakerReport {
  readonly result: Result;
  readonly slow: boolean;
  readonly trip: boolean;
  readonly now: number;
}

/** Holds circuits by name and key. One per name: a second policy of that name joins its circuit and never resets it. */
export interface BreakerStore extends DecisionStore<BreakerAsk, Admission> {
  record(ask: BreakerAsk, ticket: Ticket, report: BreakerReport): MaybePromise<Transition | undefined>;
  provisional(
    ask: BreakerAsk,
    ticket: Ticket,
    now: number,
    slow: boolean,
  ): MaybePromise<Transition | undefined>;
  force(
    name: string,
    key: string,
    config: BreakerConfig,
    to: "open" | "closed" | undefined,
    now: number,
  ): MaybePromise<void>;
  snapshot(name: string, now: number): Readonly<Record<string, BreakerSnapshot>>;
}

export interface MemoryBreakerStoreOptions {
  /** Circuits kept at most; well ones that were not used for longest go first. @default 10_000 */
  readonly maxKeys?: number;
}

interface Circuits {
  config: BreakerConfig;
  readonly states: Keyed<BreakerState>;
}

/** Circuits in this process. */
export function createMemoryBreakerStore({ maxKeys = 10_000 }: MemoryBreakerStoreOptions = {}): BreakerStore {
  const names = new Map<string, Circuits>();

  function createCircuits(config: BreakerConfig): Circuits {
    const create = (): BreakerState => createBreakerState(circuits.config);
    const circuits: Circuits = { config, states: createKeyed(maxKeys, create, (state) => state.well) };
    return circuits;
  }

  function circuit(name: string, key: string, config: BreakerConfig): BreakerState {
    let circuits = names.get(name);
    if (circuits === undefined) names.set(name, (circuits = createCircuits(config)));
    else if (circuits.config !== config) {
      circuits.config = config;
      for (const [, state] of circuits.states.entries()) state.configure(config);
    }
    return circuits.states.get(key);
  }

  return {
    decide: (ask) => circuit(ask.name, ask.key, ask.config).admit(ask.now, ask.random),
    record: (ask, ticket, { result, slow, trip, now }) =>
      names.get(ask.name)?.states.peek(ask.key)?.record(ticket, result, slow, now, trip),
    provisional: (ask, ticket, at, slow) =>
      names.get(ask.name)?.states.peek(ask.key)?.provisional(ticket, at, slow),
    force: (name, key, config, to, at) => circuit(name, key, config).force(to, at),
    snapshot(name, at) {
      const entries = [...(names.get(name)?.states.entries() ?? [])];
      return Object.fromEntries(entries.map(([key, state]) => [key, state.snapshot(at)]));
    },
  };
}
