import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { chosenCases, type Options, readArguments, USAGE } from "./arguments.ts";
import { describeMachine } from "./machine.ts";
import { type Effort, measure, type MeasuredCase } from "./measure.ts";
import { pageOf, type Results } from "./page.ts";
import { writeReport } from "./report.ts";
import { work } from "./worker.ts";

const WHOLE: Effort = { rounds: 5, ms: 100 };
const QUICK: Effort = { rounds: 1, ms: 50 };

const args = process.argv.slice(2);
if (args[0] === "--worker") {
  console.log(JSON.stringify(await work(args[1] ?? "")));
  process.exit(0); // A bulkhead that is full for ever would keep it.
}
process.exitCode = main(args);

function main(given: readonly string[]): number {
  let options: Options | undefined;
  try {
    options = readArguments(given);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (options === undefined) console.log(USAGE);
  else run(options);
  return 0;
}

function run(options: Options): void {
  const machine = describeMachine();
  const effort = options.quick ? QUICK : WHOLE;
  const cases: MeasuredCase[] = [];
  for (const chosen of chosenCases(options)) {
    process.stderr.write(`Node ${machine.node}: ${chosen.title}\n`);
    cases.push(measure(chosen, effort));
  }
  const results: Results = { machine, command: commandOf(options), effort, cases };
  const page = pageOf(results);
  console.log(page);
  if (options.report !== undefined) writeReport(options.report, results);
  if (options.write) writePage(machine.node, page);
}

/** Without the file names, which are somebody's own. */
function commandOf({ quick, write, cases }: Options): string {
  const flags = [
    ...(quick ? ["--quick"] : []),
    ...(write ? ["--write"] : []),
    ...cases.map((name) => `--case ${name}`),
  ];
  return ["npm run bench", ...(flags.length > 0 ? ["--", ...flags] : [])].join(" ");
}

function writePage(node: string, page: string): void {
  const folder = join(dirname(import.meta.dirname), "results");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `node-${Number.parseInt(node, 10)}.md`), page);
}
