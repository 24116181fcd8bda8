import { cutFaults } from "./cuts.ts";
import { endingFaults } from "./endings.ts";
import type { FaultDefinition, FaultTable } from "./fault.ts";
import { queueingFaults } from "./queueing.ts";
import { statusFaults } from "./status.ts";

/** Stands for a healthy answer in a list of actions. */
const none: FaultDefinition = {
  summary: "no fault: a healthy answer, for use in a list",
  params: {},
  plan: () => ({}),
};

/** Every fault by name. */
export const faultTable: FaultTable = {
  none,
  ...statusFaults,
  ...queueingFaults,
  ...cutFaults,
  ...endingFaults,
};

/** The names that a rule, the header `x-sim-fault` and `--fault` understand. */
export const faultNames: readonly string[] = Object.keys(faultTable);
