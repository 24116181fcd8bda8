import type { Scenario } from "@breakwater/simulator";

/** Something that DeepSeek did for a while. */
export interface Band {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What the progress names: everything but what goes on in the background nearly all the time. */
export function bandsOf(scenario: Scenario, endMs: number): readonly Band[] {
  return phasesOf(scenario, endMs).filter(({ name }) => name !== BACKGROUND);
}

/** What goes on under the bands. */
export function backgroundOf(scenario: Scenario, endMs: number): readonly Band[] {
  return phasesOf(scenario, endMs).filter(({ name }) => name === BACKGROUND);
}

function phasesOf({ phases }: Scenario, endMs: number): readonly Band[] {
  return phases
    .map(({ name, fromMs, toMs = endMs }) => ({ name, fromMs, toMs: Math.min(toMs, endMs) }))
    .toSorted((a, b) => a.fromMs - b.fromMs);
}

/** The phase that lies under all others. */
export const BACKGROUND = "broken streams";
