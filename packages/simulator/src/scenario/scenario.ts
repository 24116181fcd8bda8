import { checkAccountChange, checkConcurrency } from "../accounts.ts";
import { checkMoment } from "../calendar.ts";
import { checkCapacity, type Capacity } from "../capacity.ts";
import { checkFields, checkNumber, checkText, refuse, SimulatorConfigError } from "../checks.ts";
import { createRule, type FaultRule } from "../faults/rules.ts";
import { checkReplicas, defaultReplicas } from "../replica-checks.ts";
import { checkTrouble, type ReplicaTrouble } from "../replica-trouble.ts";
import type { ReplicaOptions } from "../replica.ts";
import { checkPersonality, type Personality } from "../wire/dialects.ts";
import { checkLoad, type ScenarioLoad } from "./load.ts";

/**
 * A stretch of time in a scenario. Outside all phases the scenario's own capacity holds and nothing fails.
 * Phases may overlap: of two that set the same limit the later in the list wins, and the rules of both apply, the
 * earlier phase's first.
 */
export interface ScenarioPhase {
  /** What a reader would call it: "the queue builds up". */
  name: string;
  /** Start, in simulated milliseconds since the scenario started. */
  fromMs: number;
  /** End, excluded. Left out: until the simulator closes. */
  toMs?: number;
  /** Limits that differ during this phase. */
  capacity?: Partial<Capacity>;
  /** Concurrency of every account during this phase, whatever the account says. */
  concurrency?: number | Readonly<Record<string, number>>;
  /** How every account's limit follows its balance during this phase, whatever the account says. */
  balanceScaling?: { perUsd: number; minLimit: number };
  /**
   * The balance of every account when this phase starts; from there it is spent. It stays when the phase ends, and is what
   * it was before once the scenario is stopped.
   */
  balanceUsd?: number;
  /** What is wrong with single replicas during this phase, by name. */
  replicas?: Readonly<Record<string, ReplicaTrouble>>;
  /** The host that is played during this phase. */
  personality?: Personality;
  /** Faults during this phase. A rule's `window` counts from the start of the phase. */
  faults?: readonly FaultRule[];
  /** Why these numbers: the source, or the reasoning, that a sceptic would ask for. */
  note?: string;
}

/**
 * An evening as data. Plain JSON, so that it can be kept in a file, read by somebody who doubts it, and changed.
 * All times are simulated: `timeScale` turns five minutes into seconds without touching the file.
 *
 * @example
 * ```ts
 * import type { Scenario } from "@breakwater/simulator";
 *
 * const scenario: Scenario = {
 *   name: "short-trouble",
 *   capacity: { slots: 16 },
 *   phases: [{ name: "overload", fromMs: 5_000, toMs: 15_000, faults: [{ match: { probability: 0.3 }, action: "503" }] }],
 * };
 * ```
 */
export interface Scenario {
  name: string;
  /** One line, for a list of scenarios. */
  summary?: string;
  /** What it shows and where its numbers come from. */
  note?: string;
  /** How long it is worth watching. The simulator goes on afterwards, with the phases that have no end. */
  durationMs?: number;
  /** The requests that it is meant for. */
  load?: ScenarioLoad;
  /** Seeds that it was looked at with; with another one it shows the same, and not the very same requests fail. */
  seeds?: readonly number[];
  /** Limits over the whole scenario, on top of the simulator's own. */
  capacity?: Partial<Capacity>;
  /** Concurrency of every account over the whole scenario. */
  concurrency?: number | Readonly<Record<string, number>>;
  /** How every account's limit follows its balance over the whole scenario. */
  balanceScaling?: { perUsd: number; minLimit: number };
  /** The moment in the simulated calendar at which it starts, such as `2026-11-23T00:58:00Z`. It decides the price. */
  now?: string;
  /**
   * The machines that it needs. A simulator that starts with the scenario has these, unless its option `replicas` says
   * otherwise; one that runs already must have them by these names.
   */
  replicas?: readonly ReplicaOptions[];
  phases: readonly ScenarioPhase[];
}

const limitFields = ["capacity", "concurrency", "balanceScaling"] as const;
const phaseFields = [
  "name",
  "fromMs",
  "toMs",
  ...limitFields,
  "balanceUsd",
  "replicas",
  "personality",
  "faults",
  "note",
];
const scenarioFields = [
  "name",
  "summary",
  "note",
  "durationMs",
  "load",
  "seeds",
  ...limitFields,
  "now",
  "replicas",
  "phases",
];

/** Checks a scenario, for example one that was read from a file. Throws what is wrong with it. */
export function checkScenario(value: unknown, path = "scenario"): Scenario {
  const given = checkFields(path, value, scenarioFields);
  checkText(`${path}.name`, given["name"], '"busy-evening"');
  if (given["durationMs"] !== undefined)
    checkNumber(`${path}.durationMs`, given["durationMs"], { min: 0, above: true, example: "60000" });
  if (given["load"] !== undefined) checkLoad(`${path}.load`, given["load"]);
  const seeds = given["seeds"] ?? [];
  if (!Array.isArray(seeds)) refuse(`${path}.seeds`, seeds, "a list of whole numbers", "[1, 2, 3]");
  for (const [index, seed] of seeds.entries())
    checkNumber(`${path}.seeds[${index}]`, seed, { integer: true, example: "7" });
  checkLimits(path, given);
  if (given["now"] !== undefined) checkMoment(`${path}.now`, given["now"]);
  const machines = checkReplicas(`${path}.replicas`, given["replicas"] ?? defaultReplicas);
  const { phases } = given;
  if (!Array.isArray(phases)) refuse(`${path}.phases`, phases, "a list of phases, perhaps empty", "[]");
  for (const [index, phase] of phases.entries()) checkPhase(`${path}.phases[${index}]`, phase, machines);
  return value as Scenario;
}

function checkPhase(path: string, value: unknown, machines: readonly ReplicaOptions[]): void {
  const phase = checkFields(path, value, phaseFields);
  checkText(`${path}.name`, phase["name"], '"overload"');
  const from = checkNumber(`${path}.fromMs`, phase["fromMs"], { min: 0, example: "0" });
  if (phase["toMs"] !== undefined) {
    checkNumber(`${path}.toMs`, phase["toMs"], { min: from, above: true, example: String(from + 10_000) });
  }
  checkLimits(path, phase);
  if (phase["personality"] !== undefined) checkPersonality(phase["personality"], `${path}.personality`);
  const replicas = checkFields(
    `${path}.replicas`,
    phase["replicas"] ?? {},
    Object.keys(phase["replicas"] ?? {}),
  );
  const names = machines.map(({ name }) => name);
  for (const [name, trouble] of Object.entries(replicas)) {
    if (!names.includes(name))
      refuse(
        `${path}.replicas`,
        name,
        `one of the scenario's replicas: ${names.join(", ")}`,
        `"${names[0]}"`,
      );
    checkTrouble(`${path}.replicas.${name}`, trouble);
  }
  const faults = phase["faults"] ?? [];
  if (!Array.isArray(faults)) refuse(`${path}.faults`, faults, "a list of rules", '[{ action: "503" }]');
  for (const [index, rule] of faults.entries()) createRule(`${path}.faults[${index}]`, rule, "check");
}

function checkLimits(path: string, given: Record<string, unknown>): void {
  if (given["capacity"] !== undefined) checkCapacity(`${path}.capacity`, given["capacity"]);
  if (given["concurrency"] !== undefined) checkConcurrency(`${path}.concurrency`, given["concurrency"]);
  const { balanceScaling, balanceUsd } = given;
  checkAccountChange(path, {
    ...(balanceScaling === undefined ? {} : { balanceScaling }),
    ...(balanceUsd === undefined ? {} : { balanceUsd }),
  });
}

/** Refuses a scenario that needs machines which are not there: what it says of them would be lost. */
export function checkMachines(scenario: Scenario | undefined, names: readonly string[]): void {
  const needed = (scenario?.replicas ?? []).map(({ name }) => name);
  if (scenario === undefined || needed.every((name) => names.includes(name))) return;
  throw new SimulatorConfigError(
    `scenario: ${scenario.name} needs the replicas ${needed.join(", ")}, and there are ${names.join(", ")}. ` +
      `Start the simulator with the scenario and without replicas, or with replicas of these names.`,
  );
}
