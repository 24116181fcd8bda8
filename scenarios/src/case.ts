import type { Figure } from "./figures.ts";
import type { Play, Played } from "./play.ts";

/** A scenario, who is tried in it, and what he must show. */
export interface Case extends Play {
  /** What of Breakwater it needs and is not there yet. Then it is listed, and not played. */
  readonly waitsFor?: string;
  readonly figures: (played: Played) => readonly Figure[];
}

/** One that cannot be played yet. */
export function waiting(scenario: Case["scenario"], waitsFor: string): Case {
  return { scenario, waitsFor, figures: () => [] };
}
