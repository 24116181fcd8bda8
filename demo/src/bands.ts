import type { Scenario } from "@breakwater/simulator";

/** Something that DeepSeek did for a while. */
export interface Band {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What the picture shows, and the progress names: everything but what goes on in the background all the time. */
export function bandsOf(scenario: Scenario, endMs: number): readonly Band[] {
  return scenario.phases
    .filter(({ name }) => name !== BACKGROUND)
    .map(({ name, fromMs, toMs = endMs }) => ({ name, fromMs, toMs: Math.min(toMs, endMs) }))
    .toSorted((a, b) => a.fromMs - b.fromMs);
}

/** The phase that lies under all others. */
export const BACKGROUND = "broken streams";
