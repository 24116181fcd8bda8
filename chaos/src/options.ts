import { parseArgs } from "node:util";

import { faults } from "./faults/index.ts";

export interface Options {
  readonly help: boolean;
  /** Names of faults; all where none is given. */
  readonly only: readonly string[];
  readonly report: string | undefined;
}

/** What was written on the command line cannot be meant; the message says what can. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const names = faults.map(({ name }) => name);

/** All faults together, on two cores. */
export const BUDGET_MINUTES = 6;

export const help = `npm run chaos -- [options]

Breaks a real Redis, its network and the processes that share limits through it, and measures what the limits come to.
Takes at most ${BUDGET_MINUTES} minutes on two cores. Ends with 1 if a bound did not hold.

  --only A,B       some of: ${names.slice(0, 5).join(", ")},
                   ${names.slice(5, 10).join(", ")},
                   ${names.slice(10).join(", ")}
  --report FILE    writes the table as JSON: [{ fault, bound, worst, longestWaitMs, held, unit }]
  --help           this text
`;

/** @throws UsageError with what was given, what is allowed and what to write. */
export function readOptions(args: readonly string[]): Options {
  const values = parse(args);
  const only = values.only?.split(",").map((name) => name.trim()) ?? [];
  for (const name of only) {
    if (!names.includes(name))
      throw new UsageError(`--only: got "${name}"; it is some of ${names.join(", ")}.`);
  }
  if (values.report?.trim() === "")
    throw new UsageError("--report: the name of a file is missing, for example chaos.json.");
  return { help: values.help === true, only, report: values.report };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: "boolean", short: "h" },
        only: { type: "string" },
        report: { type: "string" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(". ")[0]}. Write --help for what there is.`);
  }
}
