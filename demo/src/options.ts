import { parseArgs } from "node:util";

import { ablations, type ColumnName, columns, compared } from "./columns/index.ts";
import { severities, type Severity } from "./evening.ts";

export interface Options {
  readonly help: boolean;
  readonly severity: Severity;
  readonly columns: readonly ColumnName[];
  readonly users: number;
  readonly seed: number;
  readonly timeScale: number;
  readonly report: string | undefined;
  readonly picture: string | undefined;
  readonly markdown: boolean;
  readonly updateReadme: boolean;
}

/** What was written on the command line cannot be meant; the message says what can. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const help = `npm run demo -- [options]

The same questions of the same users on the same evening at DeepSeek, answered by Express servers that
differ in one thing: how they call it. Offline: DeepSeek is a simulator on this machine.

  --severity NAME     ${severities.join(", ")}  (default evening)
  --columns A,B       ${compared.join(", ")}
                      (default all of them)
  --ablate            instead: recommended() with each of its policies left out once
  --users N           how many users ask, once each  (default 500: the evening is made for them)
  --seed N            another evening of the same kind  (default 1)
  --time-scale X      real seconds for a second of the evening, for all clocks of all sides  (default 0.12)
  --report FILE       writes the figures as JSON
  --picture FILE.svg  where the picture goes  (default .cache/demo.svg in the repository)
  --markdown          prints the table as Markdown, too
  --update-readme     puts it into README.md and README.zh-CN.md, between <!-- demo:start --> and <!-- demo:end -->
  --help              this text
`;

/** @throws UsageError with what was given, what is allowed and what to write. */
export function readOptions(args: readonly string[]): Options {
  const values = parse(args);
  if (values.ablate === true && values.columns !== undefined) {
    throw new UsageError("--ablate chooses its own columns: write it without --columns.");
  }
  return {
    help: values.help === true,
    severity: oneOf("--severity", values.severity ?? "evening", severities),
    columns: values.ablate === true ? ablations : readColumns(values.columns),
    users: readNumber("--users", values.users ?? "500", { min: 1, max: 5_000, whole: true, example: "500" }),
    seed: readNumber("--seed", values.seed ?? "1", { min: 0, max: 2 ** 31 - 1, whole: true, example: "7" }),
    timeScale: readNumber("--time-scale", values["time-scale"] ?? "0.12", {
      min: 0.01,
      max: 1,
      example: "0.1",
    }),
    report: readFile("--report", values.report, "figures.json"),
    picture: readFile("--picture", values.picture, "evening.svg"),
    markdown: values.markdown === true,
    updateReadme: values["update-readme"] === true,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: "boolean", short: "h" },
        severity: { type: "string" },
        columns: { type: "string" },
        ablate: { type: "boolean" },
        users: { type: "string" },
        seed: { type: "string" },
        "time-scale": { type: "string" },
        report: { type: "string" },
        picture: { type: "string" },
        markdown: { type: "boolean" },
        "update-readme": { type: "boolean" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(". ")[0]}. Write --help for what there is.`);
  }
}

function oneOf<T extends string>(name: string, given: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === given);
  if (found === undefined)
    throw new UsageError(`${name}: got "${given}"; it is one of ${allowed.join(", ")}.`);
  return found;
}

function readColumns(given: string | undefined): readonly ColumnName[] {
  if (given === undefined) return compared;
  const names = given.split(",").map((name) => oneOf("--columns", name.trim(), Object.keys(columns)));
  return [...new Set(names)] as ColumnName[];
}

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly whole?: boolean;
  readonly example: string;
}

function readNumber(name: string, given: string, { min, max, whole = false, example }: Bounds): number {
  const value = given.trim() === "" ? Number.NaN : Number(given);
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? "a whole number" : "a number";
  throw new UsageError(
    `${name}: got "${given}"; it is ${kind} from ${min} to ${max}, for example ${example}.`,
  );
}

function readFile(name: string, given: string | undefined, example: string): string | undefined {
  if (given?.trim() === "")
    throw new UsageError(`${name}: the name of a file is missing, for example ${example}.`);
  return given;
}
