import { spawnSync } from "node:child_process";

import type { Case, Side } from "./cases.ts";
import { ratios, type Spread, spread } from "./statistics.ts";
import { argumentsOf, type Counts, flagsOf, type Job } from "./worker.ts";

/** How often and how long. */
export interface Effort {
  readonly rounds: number;
  readonly ms: number;
}

export interface Measured extends Counts {
  readonly label: string;
  /** One awaited call, over the rounds. */
  readonly ns: Spread;
  /** How many times as long as the first side, round by round. */
  readonly times: Spread;
}

export interface MeasuredCase {
  readonly name: string;
  readonly title: string;
  readonly sides: readonly Measured[];
}

/**
 * Every side in a process of its own in every round, one after another, and each round begins with another side: what
 * the machine does meanwhile meets all of them alike.
 */
export function measure(chosen: Case, { rounds, ms }: Effort): MeasuredCase {
  const { name, title, sides } = chosen;
  const times = sides.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < sides.length; turn++) {
      const at = (round + turn) % sides.length;
      times[at]?.push(inProcess<number>({ measure: "time", ms }, chosen, sides[at] as Side));
    }
  }
  const first = times[0] ?? [];
  const measured = sides.map((side, at): Measured => {
    const own = times[at] ?? [];
    return {
      label: side.label,
      ns: spread(own),
      times: spread(ratios(own, first)),
      ...inProcess<Counts>({ measure: "counts" }, chosen, side),
    };
  });
  return { name, title, sides: measured };
}

function inProcess<T>(job: Job, chosen: Case, side: Side): T {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const args = [...flagsOf(job), process.argv[1] ?? "", "--worker", ...argumentsOf(job, chosen, side)];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
  if (status !== 0) throw new Error(`${side.label} in ${chosen.name} could not be measured.\n${stderr}`);
  return JSON.parse(stdout) as T;
}
