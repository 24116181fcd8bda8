import { createAccount, type Account, type AccountState } from "./accounts.ts";
import { createAttemptLog, type Attempt, type AttemptTotals } from "./attempt-log.ts";
import { createBalancer } from "./balancer.ts";
import { createCalendar, type Calendar } from "./calendar.ts";
import type { Capacity } from "./capacity.ts";
import { createContextCache } from "./chat/context-cache.ts";
import { createManualClock, createRealClock, type ManualClock } from "./clock.ts";
import { createTally, type Tally } from "./control/metrics.ts";
import { createRule, type ActiveRule, type FaultRule } from "./faults/rules.ts";
import type { Settings } from "./options.ts";
import { costOf, priceAt, tierAt, type Tier } from "./prices.ts";
import { createReplica, type Replica, type ReplicaState } from "./replica.ts";
import { playScenario, type ScenarioPlayer } from "./scenario/player.ts";
import { checkMachines, type Scenario } from "./scenario/scenario.ts";
import type { Door } from "./sink/door.ts";
import { dialects, type Personality } from "./wire/dialects.ts";
import { bearerOf, type Identity, type World } from "./world.ts";

/** A look at everything that moves. */
export interface SimulatorState {
  readonly seed: number;
  /** 0 with a manual clock. */
  readonly timeScale: number;
  /** Simulated milliseconds since the start, or since the last reset. */
  readonly nowMs: number;
  /** The moment of the simulated calendar, ISO and UTC. */
  readonly utc: string;
  /** The price that holds now. */
  readonly tier: Tier;
  /** The host that is played. */
  readonly personality: Personality;
  readonly scenario: string | null;
  /** Simulated milliseconds since the scenario started; null without one. */
  readonly scenarioMs: number | null;
  /** Names of the phases that hold now. */
  readonly phases: readonly string[];
  /** Limits in force now. */
  readonly capacity: Capacity;
  readonly active: number;
  readonly queued: number;
  readonly maxActive: number;
  readonly maxQueued: number;
  /** Requests that are not over, stalled ones included. */
  readonly open: number;
  readonly replicas: readonly ReplicaState[];
  readonly accounts: readonly AccountState[];
  /** Rules in force, and how often each struck. */
  readonly faults: readonly (FaultRule & { id: string; hits: number })[];
  /** The same of the phases that hold now. */
  readonly scenarioFaults: readonly (FaultRule & { id: string; hits: number; phase: string })[];
  readonly totals: AttemptTotals;
}

/** The simulated host without its network: everything between two resets. */
export interface Engine extends World {
  /** The clock, when it is one that must be advanced. */
  readonly manual: ManualClock | undefined;
  readonly calendar: Calendar;
  addFaults(rules: readonly unknown[]): string[];
  removeFault(id: string): boolean;
  clearFaults(): void;
  play(scenario: Scenario | undefined): void;
  setCapacity(change: Partial<Capacity>): void;
  setPersonality(personality: Personality): void;
  account(id: string): Account | undefined;
  readonly replicas: ReadonlyMap<string, Replica>;
  readonly tally: Tally;
  state(): SimulatorState;
  /** Breaks every open request and stops the clock. */
  stop(): void;
}

/** How many scopes have their requests counted; the oldest is forgotten first. */
const maximumScopes = 200_000;

/** @param doors The listeners of replicas that have one, by name; they may be opened later. */
export function createEngine(
  settings: Settings,
  timeScale: number,
  doors: ReadonlyMap<string, Door>,
  onAttempt: (attempt: Attempt) => void = () => {},
): Engine {
  const manual = settings.clock === "manual" ? createManualClock({ stepMs: settings.tickMs }) : undefined;
  const clock = manual ?? createRealClock({ scale: timeScale, tickMs: settings.tickMs });
  const calendar = createCalendar(clock, settings.now);
  const { peak } = settings.prices;
  const log = createAttemptLog(settings.attemptLogSize, (attempt) => {
    const { outcome } = attempt;
    if (outcome === "completed" || outcome === "rejected") replicas.get(attempt.replica)?.count(outcome);
    tally.count(attempt);
    onAttempt(attempt);
  });
  const tally = createTally();
  const live: World["live"] = new Set();
  const counts = new Map<string, number>();
  let base = settings.capacity;
  let { personality } = settings;
  let player: ScenarioPlayer | undefined;
  let rules: ActiveRule[] = [];
  let ruleNumber = 0;
  let capacity = base;

  const load = { active: 0, queued: 0, maxActive: 0, maxQueued: 0 };
  function measure(): void {
    load.active = load.queued = 0;
    for (const replica of replicas.values()) {
      load.active += replica.active;
      load.queued += replica.queued;
    }
    load.maxActive = Math.max(load.maxActive, load.active);
    load.maxQueued = Math.max(load.maxQueued, load.queued);
  }

  const replicas = new Map<string, Replica>();
  for (const options of settings.replicas) {
    const replica = createReplica(options, {
      clock,
      capacity: () => base,
      scenario: () => player?.capacity() ?? {},
      scripted: () => player?.trouble(options.name) ?? {},
      door: () => doors.get(options.name),
      breakAll() {
        for (const request of live) if (request.replica === replica) request.breakOff();
      },
      onLoad: measure,
    });
    replicas.set(options.name, replica);
  }
  const route = createBalancer([...replicas.values()], settings.balance);

  function limitsChanged(): void {
    capacity = { ...base, ...player?.capacity() };
    for (const replica of replicas.values()) replica.settle();
  }

  const accounts = settings.accounts.map((options) => createAccount(options, () => player?.accounts() ?? {}));
  const byKey = new Map(accounts.flatMap((account) => account.keys.map((key) => [key, account] as const)));

  function identify(authorization: string | undefined): Identity {
    const key = bearerOf(authorization);
    const known = key === undefined ? undefined : byKey.get(key);
    if (known !== undefined) return { account: known, keyTail: key?.slice(-4) ?? "" };
    if (!settings.requireKey) return { account: accounts[0] as Account, keyTail: key?.slice(-4) ?? "" };
    return key === undefined ? { key: "missing" } : { key: "invalid", given: key };
  }

  const engine: Engine = {
    clock,
    manual,
    log,
    live,
    replicas,
    tally,
    route(name) {
      if (name === undefined) return route();
      const replica = replicas.get(name);
      return replica?.isUp === true ? replica : undefined;
    },
    hasReplica: (name) => replicas.has(name),
    seed: settings.seed,
    models: new Map(settings.models.map((model) => [model.id, model])),
    text: settings.text,
    cache: createContextCache(settings.contextCache),
    createdBase: Math.floor(settings.now / 1000),
    calendar,
    tier: () => tierAt(peak, calendar.now()),
    billOf(model, tReceived, tokens) {
      const at = peak.decidedBy === "arrival" ? calendar.at(tReceived) : calendar.now();
      const tier = tierAt(peak, at);
      const price = model.price ?? priceAt(settings.prices.models[model.id] ?? [], at, tier);
      return { nanoUsd: costOf(price, tokens), tier };
    },
    capacity: () => capacity,
    dialect: () => dialects[player?.personality() ?? personality],
    identify,
    countOf(scope) {
      const count = counts.get(scope) ?? 0;
      counts.set(scope, count + 1);
      if (counts.size > maximumScopes) counts.delete(counts.keys().next().value as string);
      return count;
    },
    faultFor(facts, rngFor) {
      for (const rule of rules) {
        const action = rule.apply(facts, clock.now(), rngFor);
        if (action !== undefined) return action;
      }
      return player?.fault(facts, rngFor);
    },
    addFaults(added) {
      // All are checked before one is added.
      const made = added.map((rule, index) =>
        createRule(`faults[${index}]`, rule, `rule-${ruleNumber + index + 1}`),
      );
      ruleNumber += made.length;
      rules = [...rules, ...made];
      return made.map((rule) => rule.id);
    },
    removeFault(id) {
      const before = rules.length;
      rules = rules.filter((rule) => rule.id !== id);
      return rules.length < before;
    },
    clearFaults() {
      rules = [];
    },
    play(scenario) {
      checkMachines(scenario, [...replicas.keys()]);
      player?.stop();
      player =
        scenario === undefined
          ? undefined
          : playScenario(scenario, { clock, calendar, accounts, onChange: limitsChanged });
      limitsChanged();
    },
    setCapacity(change) {
      base = { ...base, ...change };
      limitsChanged();
    },
    setPersonality(next) {
      personality = next;
    },
    account: (id) => accounts.find((account) => account.id === id),
    state: () => (
      measure(),
      {
        seed: settings.seed,
        timeScale: clock.scale,
        nowMs: clock.now(),
        utc: new Date(calendar.now()).toISOString(),
        tier: engine.tier(),
        personality: player?.personality() ?? personality,
        scenario: player?.scenario.name ?? null,
        scenarioMs: player?.elapsed() ?? null,
        phases: player?.phases().map((phase) => phase.name) ?? [],
        capacity,
        ...load,
        open: live.size,
        replicas: [...replicas.values()].map((replica) => replica.state()),
        accounts: accounts.map((account) => account.state()),
        faults: rules.map(({ source, id, hits }) => ({ ...source, id, hits })),
        scenarioFaults: player?.faults() ?? [],
        totals: log.totals(),
      }
    ),
    stop() {
      for (const request of live) request.abandon();
      clock.stop();
    },
  };
  engine.addFaults(settings.faults);
  engine.play(settings.scenario);
  return engine;
}
