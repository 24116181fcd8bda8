import { parseArgs } from "node:util";

import { CASES } from "./cases.ts";

export interface Options {
  /** A look, not a measurement: fewer and shorter rounds. */
  readonly quick: boolean;
  /** Writes the page of this line of Node into `benchmarks/results/`. */
  readonly write: boolean;
  /** Where to put everything that was measured, as JSON. */
  readonly report: string | undefined;
  /** Only cases whose name contains one of these. */
  readonly cases: readonly string[];
}

export const USAGE = `npm run bench -- [options]

  --quick         a look in half a minute instead of a measurement
  --case NAME     only cases whose name contains NAME; may be given more than once
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
      case: { type: "string", multiple: true, default: [] },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const unknown = values.case.filter((part) => !CASES.some(({ name }) => name.includes(part)));
  if (unknown.length > 0) throw new Error(`No case is named like ${unknown.join(", ")}.`);
  if (values.write && (values.quick || values.case.length > 0))
    throw new Error("--write takes a whole measurement: leave out --quick and --case.");
  return { quick: values.quick, write: values.write, report: values.report, cases: values.case };
}

export const chosenCases = ({ cases }: Options): typeof CASES =>
  CASES.filter(({ name }) => cases.length === 0 || cases.some((part) => name.includes(part)));
