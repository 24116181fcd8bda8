import type { Scenario } from "@breakwater/simulator";

/** A phase by its name, with an end: figures speak of what happened in it. */
export function phase(scenario: Scenario, name: string): { readonly fromMs: number; readonly toMs: number } {
  const found = scenario.phases.find((each) => each.name === name);
  if (found === undefined) throw new Error(`${scenario.name} has no phase "${name}"`);
  return { fromMs: found.fromMs, toMs: found.toMs ?? Infinity };
}
