import type { Capacity } from "../capacity.ts";
import type { Alarm, Clock } from "../clock.ts";
import type { CheckedAction } from "../faults/action.ts";
import { createRule, type ActiveRule, type FaultRule, type RuleFacts } from "../faults/rules.ts";
import type { Rng } from "../rng.ts";
import type { Concurrency, Scenario, ScenarioPhase } from "./scenario.ts";

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
  concurrency(): Concurrency | undefined;
  fault(facts: RuleFacts, rngFor: (purpose: string) => Rng): CheckedAction | undefined;
  stop(): void;
}

interface Part {
  readonly phase: ScenarioPhase;
  readonly rules: readonly ActiveRule[];
}

/** @param onChange called at every start and end of a phase, since a new limit may let somebody in. */
export function playScenario(scenario: Scenario, clock: Clock, onChange: () => void): ScenarioPlayer {
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
  let concurrency: Concurrency | undefined;

  function settle(at: number): void {
    current = parts.filter(({ phase }) => at >= phase.fromMs && at < (phase.toMs ?? Infinity));
    capacity = Object.assign({}, scenario.capacity, ...current.map(({ phase }) => phase.capacity ?? {}));
    concurrency =
      current.findLast(({ phase }) => phase.concurrency !== undefined)?.phase.concurrency ??
      scenario.concurrency;
  }

  settle(0);
  const moments = scenario.phases.flatMap(({ fromMs, toMs }) =>
    toMs === undefined ? [fromMs] : [fromMs, toMs],
  );
  for (const moment of new Set(moments)) {
    if (moment === 0) continue;
    alarms.push(
      clock.after(moment, () => {
        settle(Math.max(moment, elapsed()));
        onChange();
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
    concurrency: () => concurrency,
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
    },
  };
}
