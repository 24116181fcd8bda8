import { type ScenarioName, scenarioNames } from "@breakwater/simulator";

import type { Case } from "../case.ts";
import { brokenStreams } from "./broken-streams.ts";
import { refusals } from "./refusals.ts";
import { sharedWork } from "./shared-work.ts";
import { sickHost } from "./sick-host.ts";
import { steady } from "./steady.ts";
import { waits } from "./waits.ts";

const all = [...steady, ...refusals, ...brokenStreams, ...waits, ...sharedWork, ...sickHost];

/** One for each scenario that the simulator has, in its order. */
export const cases: readonly Case[] = scenarioNames.map(
  (name: ScenarioName) => all.find(({ scenario }) => scenario === name) ?? missing(name),
);

function missing(name: string): never {
  throw new Error(
    `the scenario "${name}" has no acceptance figures: write a case for it in scenarios/src/cases`,
  );
}
