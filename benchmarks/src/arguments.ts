import { parseArgs } from "node:util";

import { CASES } from "./cases.ts";

export interface Options {
  /** A look, not a measurement: fewer and shorter rounds. */
  readonly quick: boolean;
  /** Writes the page of this line of Node into `benchmarks/results/`. */
  readonly write: boolean;
  /** Where to put everything that was measured, as JSON. */
  readonly report: string | undefined;
  /** Only what goes over Redis. */
  readonly redis: boolean;
  /** Only cases whose name contains one of these, and nothing over Redis. */
  readonly cases: readonly string[];
}

export const USAGE = `npm run bench -- [options]

  --quick         a look in half a minute instead of a measurement
  --case NAME     only cases whose name contains NAME; may be given more than once
  --redis         only what goes over Redis
  --report FILE   everything that was measured, as JSON; each line of Node adds its part
  --write         the pages in benchmarks/results/
  --help

Cases: ${CASES.map(({ name }) => name).join(", ")}`;

/** Undefined when help is asked for. Throws on what it does not know. */
export function readArguments(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      report: { type: "string" },
      redis: { type: "boolean", default: false },
      case: { type: "string", multiple: true, default: [] },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const unknown = values.case.filter((part) => !CASES.some(({ name }) => name.includes(part)));
  if (unknown.length > 0) throw new Error(`No case is named like ${unknown.join(", ")}.`);
  if (values.write && (values.quick || values.case.length > 0))
    throw new Error("--write takes a whole measurement: leave out --quick and --case.");
  if (values.redis && values.case.length > 0)
    throw new Error("--redis and --case leave nothing to be measured: leave one of them out.");
  const { quick, write, report, redis, case: cases } = values;
  return { quick, write, report, redis, cases };
}

export const chosenCases = ({ cases, redis }: Options): typeof CASES =>
  redis ? [] : CASES.filter(({ name }) => cases.length === 0 || cases.some((part) => name.includes(part)));
