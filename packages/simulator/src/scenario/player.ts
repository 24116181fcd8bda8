import type { Account, AccountLimits } from "../accounts.ts";
import { checkMoment, type Calendar } from "../calendar.ts";
import type { Capacity } from "../capacity.ts";
import type { Alarm, Clock } from "../clock.ts";
import type { CheckedAction } from "../faults/action.ts";
import { createRule, type ActiveRule, type FaultRule, type RuleFacts } from "../faults/rules.ts";
import type { ReplicaTrouble } from "../replica-trouble.ts";
import type { Rng } from "../rng.ts";
import type { Personality } from "../wire/dialects.ts";
import type { Scenario, ScenarioPhase } from "./scenario.ts";

/** Plays one scenario against the clock. */
export interface ScenarioPlayer {
  readonly scenario: Scenario;
  /** Simulated milliseconds since it started. */
  elapsed(): number;
  /** Phases that hold now. */
  phases(): readonly ScenarioPhase[];
  /** Their rules, and how often each struck. */
  faults(): readonly (FaultRule & { id: string; hits: number; phase: string })[];
  capacity(): Partial<Capacity>;
  /** What it says on the limits of every account. */
  accounts(): AccountLimits;
  personality(): Personality | undefined;
  /** What it says of a replica. */
  trouble(replica: string): ReplicaTrouble;
  fault(facts: RuleFacts, rngFor: (purpose: string) => Rng): CheckedAction | undefined;
  /** Ends it. What it changed of the accounts is undone. */
  stop(): void;
}

/** What a scenario acts upon. */
export interface Stage {
  readonly clock: Clock;
  readonly calendar: Pick<Calendar, "setNow">;
  readonly accounts: readonly Account[];
  /** Called at every start and end of a phase, since a new limit may let somebody in. */
  onChange(): void;
}

interface Part {
  readonly phase: ScenarioPhase;
  readonly rules: readonly ActiveRule[];
}

export function playScenario(scenario: Scenario, stage: Stage): ScenarioPlayer {
  const { clock } = stage;
  const start = clock.now();
  const alarms: Alarm[] = [];
  const parts: Part[] = scenario.phases.map((phase, index) => ({
    phase,
    rules: (phase.faults ?? []).map((rule, at) =>
      createRule(`${phase.name}.faults[${at}]`, rule, `${scenario.name}/${index + 1}.${at + 1}`),
    ),
  }));
  const elapsed = (): number => clock.now() - start;

  // What holds is computed at the boundaries only: requests read it all the time.
  let current: readonly Part[] = [];
  let capacity: Partial<Capacity> = {};
  let accounts: AccountLimits = {};
  let personality: Personality | undefined;
  let troubles: Readonly<Record<string, ReplicaTrouble>> = {};
  const balances = stage.accounts.map((account) => ({ account, balanceUsd: account.balanceUsd }));
  let paid = false;

  function settle(at: number): void {
    current = parts.filter(({ phase }) => at >= phase.fromMs && at < (phase.toMs ?? Infinity));
    capacity = Object.assign({}, scenario.capacity, ...current.map(({ phase }) => phase.capacity ?? {}));
    accounts = Object.assign({}, limitsOf(scenario), ...current.map(({ phase }) => limitsOf(phase)));
    personality = current.findLast(({ phase }) => phase.personality !== undefined)?.phase.personality;
    troubles = Object.assign({}, ...current.map(({ phase }) => phase.replicas ?? {}));
    for (const { phase } of current) if (phase.fromMs === at) pay(phase.balanceUsd);
  }

  function pay(balanceUsd: number | undefined): void {
    if (balanceUsd === undefined) return;
    paid = true;
    for (const account of stage.accounts) account.change({ balanceUsd });
  }

  if (scenario.now !== undefined) stage.calendar.setNow(checkMoment("scenario.now", scenario.now));
  settle(0);
  const moments = scenario.phases.flatMap(({ fromMs, toMs }) =>
    toMs === undefined ? [fromMs] : [fromMs, toMs],
  );
  for (const moment of new Set(moments)) {
    if (moment === 0) continue;
    alarms.push(
      clock.after(moment, () => {
        settle(moment);
        stage.onChange();
      }),
    );
  }

  return {
    scenario,
    elapsed,
    phases: () => current.map(({ phase }) => phase),
    faults: () =>
      current.flatMap(({ phase, rules }) =>
        rules.map(({ source, id, hits }) => ({ ...source, id, hits, phase: phase.name })),
      ),
    capacity: () => capacity,
    accounts: () => accounts,
    personality: () => personality,
    trouble: (replica) => troubles[replica] ?? {},
    fault(facts, rngFor) {
      for (const { phase, rules } of current) {
        for (const rule of rules) {
          const action = rule.apply(facts, elapsed() - phase.fromMs, rngFor);
          if (action !== undefined) return action;
        }
      }
      return undefined;
    },
    stop() {
      for (const alarm of alarms) alarm.cancel();
      if (paid) for (const { account, balanceUsd } of balances) account.change({ balanceUsd });
    },
  };
}

function limitsOf({ concurrency, balanceScaling }: AccountLimits): AccountLimits {
  return {
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(balanceScaling === undefined ? {} : { balanceScaling }),
  };
}
