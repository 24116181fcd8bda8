import { alterationFaults } from "./alterations.ts";
import { connectionFaults } from "./connection.ts";
import { cutFaults } from "./cuts.ts";
import { endingFaults } from "./endings.ts";
import type { FaultDefinition, FaultPhase, FaultTable } from "./fault.ts";
import type { ParamRule } from "./params.ts";
import { queueingFaults } from "./queueing.ts";
import { statusFaults } from "./status.ts";

/** Stands for a healthy answer in a list of actions. */
const none: FaultDefinition = {
  phase: "admission",
  summary: "no fault: a healthy answer, for use in a list",
  params: {},
  plan: () => ({}),
};

/** Every fault by name. */
export const faultTable: FaultTable = {
  none,
  ...connectionFaults,
  ...statusFaults,
  ...queueingFaults,
  ...cutFaults,
  ...alterationFaults,
  ...endingFaults,
};

/** The names that a rule, the header `x-sim-fault` and `--fault` understand. */
export const faultNames: readonly string[] = Object.keys(faultTable);

/** A parameter of a fault. A number may be written as a range (`5..40`), drawn for each request. */
export interface FaultParam {
  readonly name: string;
  readonly kind: "number" | "text" | "flag";
  /** Undefined: the fault does without it. */
  readonly default?: number | string | boolean;
}

/** What there is to know of a fault, for a table or a form. */
export interface FaultInfo {
  readonly name: string;
  /** Where in the life of a request it strikes. */
  readonly phase: FaultPhase;
  /** One line; parameters stand in backticks. */
  readonly summary: string;
  readonly params: readonly FaultParam[];
}

const paramOf = (name: string, rule: ParamRule): FaultParam => ({
  name,
  kind: rule.kind,
  ...(rule.default === undefined ? {} : { default: rule.default }),
});

/**
 * The whole catalogue as data, in the order of a request's life.
 *
 * @example
 * ```ts
 * import { faults } from "@breakwater/simulator";
 *
 * faults.find((fault) => fault.name === "stall_after")?.params.map((param) => param.name); // => ["tokens", "ms"]
 * ```
 */
export const faults: readonly FaultInfo[] = Object.entries(faultTable).map(
  ([name, { phase, summary, params }]) => ({
    name,
    phase,
    summary,
    params: Object.entries(params).map(([param, rule]) => paramOf(param, rule)),
  }),
);
