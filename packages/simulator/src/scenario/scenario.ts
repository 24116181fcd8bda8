import type { AccountOptions } from "../accounts.ts";
import { checkConcurrency } from "../accounts.ts";
import { checkCapacity, type Capacity } from "../capacity.ts";
import { checkFields, checkNumber, checkText, refuse } from "../checks.ts";
import { createRule, type FaultRule } from "../faults/rules.ts";

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
  /** What it shows and where its numbers come from. */
  note?: string;
  /** Limits over the whole scenario, on top of the simulator's own. */
  capacity?: Partial<Capacity>;
  /** Concurrency of every account over the whole scenario. */
  concurrency?: number | Readonly<Record<string, number>>;
  phases: readonly ScenarioPhase[];
}

const phaseFields = ["name", "fromMs", "toMs", "capacity", "concurrency", "faults", "note"];

/** Checks a scenario, for example one that was read from a file. Throws what is wrong with it. */
export function checkScenario(value: unknown, path = "scenario"): Scenario {
  const given = checkFields(path, value, ["name", "note", "capacity", "concurrency", "phases"]);
  checkText(`${path}.name`, given["name"], '"busy-evening"');
  checkLimits(path, given);
  const { phases } = given;
  if (!Array.isArray(phases)) refuse(`${path}.phases`, phases, "a list of phases, perhaps empty", "[]");
  for (const [index, phase] of phases.entries()) checkPhase(`${path}.phases[${index}]`, phase);
  return value as Scenario;
}

function checkPhase(path: string, value: unknown): void {
  const phase = checkFields(path, value, phaseFields);
  checkText(`${path}.name`, phase["name"], '"overload"');
  const from = checkNumber(`${path}.fromMs`, phase["fromMs"], { min: 0, example: "0" });
  if (phase["toMs"] !== undefined) {
    checkNumber(`${path}.toMs`, phase["toMs"], { min: from, above: true, example: String(from + 10_000) });
  }
  checkLimits(path, phase);
  const faults = phase["faults"] ?? [];
  if (!Array.isArray(faults)) refuse(`${path}.faults`, faults, "a list of rules", '[{ action: "503" }]');
  for (const [index, rule] of faults.entries()) createRule(`${path}.faults[${index}]`, rule, "check");
}

function checkLimits(path: string, given: Record<string, unknown>): void {
  if (given["capacity"] !== undefined) checkCapacity(`${path}.capacity`, given["capacity"]);
  if (given["concurrency"] !== undefined) checkConcurrency(`${path}.concurrency`, given["concurrency"]);
}

/** Concurrency as an account and a scenario write it. */
export type Concurrency = NonNullable<AccountOptions["concurrency"]>;
