import { refuse } from "../checks.ts";
import { busyEvening } from "./busy-evening.ts";
import { calm } from "./calm.ts";
import type { Scenario } from "./scenario.ts";

const scenarios: ReadonlyMap<string, Scenario> = new Map(
  [calm, busyEvening].map((entry) => [entry.name, entry]),
);

/** Names that `loadScenario`, the `scenario` option and `--scenario` understand. */
export const scenarioNames: readonly string[] = [...scenarios.keys()];

/**
 * A scenario that comes with the package. It is plain data: spread it to change it.
 *
 * @example
 * ```ts
 * import { loadScenario, startSimulator } from "@breakwater/simulator";
 *
 * const evening = loadScenario("busy-evening");
 * const simulator = await startSimulator({
 *   scenario: { ...evening, capacity: { ...evening.capacity, slots: 8 } },
 * });
 * await simulator.close();
 * ```
 */
export function loadScenario(name: string): Scenario {
  const found = scenarios.get(name);
  if (found === undefined)
    refuse("scenario", name, `one of ${scenarioNames.join(", ")}, or a scenario object`, '"calm"');
  return found;
}
