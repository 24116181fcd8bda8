import { parseArgs } from "node:util";

import { cases } from "./cases/index.ts";

export interface Options {
  readonly help: boolean;
  readonly seed: number;
  /** Names of scenarios; all where none is given. */
  readonly only: readonly string[];
  readonly report: string | undefined;
}

/** What was written on the command line cannot be meant; the message says what can. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const names = cases.map(({ scenario }) => scenario);

export const help = `npm run scenarios -- [options]

Plays the simulator's scenarios to a client of Breakwater, in virtual time, and compares what its users see with
what a good client must show. Ends with 1 if a figure is missed.

  --only A,B       some of: ${names.slice(0, 8).join(", ")},
                   ${names.slice(8, 15).join(", ")},
                   ${names.slice(15).join(", ")}
  --seed N         other requests at other moments, of the same kind  (default 1)
  --report FILE    writes the figures as JSON: [{ scenario, figure, limit, measured, met }]
  --help           this text
`;

/** @throws UsageError with what was given, what is allowed and what to write. */
export function readOptions(args: readonly string[]): Options {
  const values = parse(args);
  const only = values.only?.split(",").map((name) => name.trim()) ?? [];
  for (const name of only) {
    if (!names.some((known) => known === name))
      throw new UsageError(`--only: got "${name}"; it is some of ${names.join(", ")}.`);
  }
  const seed = Number(values.seed ?? "1");
  if (values.seed?.trim() === "" || !Number.isInteger(seed) || seed < 0 || seed >= 2 ** 31)
    throw new UsageError(
      `--seed: got "${values.seed}"; it is a whole number from 0 to ${2 ** 31 - 1}, for example 7.`,
    );
  if (values.report?.trim() === "")
    throw new UsageError("--report: the name of a file is missing, for example scenarios.json.");
  return { help: values.help === true, seed, only, report: values.report };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: "boolean", short: "h" },
        only: { type: "string" },
        seed: { type: "string" },
        report: { type: "string" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(". ")[0]}. Write --help for what there is.`);
  }
}
