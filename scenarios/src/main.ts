// `npm run scenarios`. Which scenario asks for what stands in cases/.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

import type { Case } from "./case.ts";
import { cases } from "./cases/index.ts";
import { help, type Options, readOptions, UsageError } from "./options.ts";
import { play } from "./play.ts";
import { missed, type ReportRow, rowOf, tableOf, waitingFor, waitingRow } from "./report.ts";
import { STEP_MS } from "./world.ts";

async function main({ only, report, seed }: Options): Promise<void> {
  const began = performance.now();
  const chosen = cases.filter(({ scenario }) => only.length === 0 || only.includes(scenario));
  say(
    `${chosen.length} scenarios of the simulator, seed ${seed}, in virtual time (the clocks of client and host go in ` +
      `turns, ${STEP_MS} ms at a time), with the defaults of createDeepSeek where nothing else is said.\n`,
  );
  const rows: ReportRow[] = [];
  for (const each of chosen) rows.push(...(await rowsOf(each, seed)));
  say(tableOf(rows));
  const waits = waitingFor(rows);
  const missing = missed(rows);
  const figures = rows.length - waits.length;
  say(
    `\n${figures - missing.length} of ${figures} figures met; ${waits.length} scenarios wait for what is not built yet. ` +
      `${Math.round((performance.now() - began) / 1_000)} s.`,
  );
  if (report !== undefined) {
    const file = resolve(report);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(rows, undefined, 2)}\n`);
    say(`The figures are in ${file}.`);
  }
  if (missing.length > 0) process.exitCode = 1;
}

async function rowsOf(one: Case, seed: number): Promise<readonly ReportRow[]> {
  const { figures, scenario, waitsFor } = one;
  if (waitsFor !== undefined) return [waitingRow(scenario, waitsFor)];
  const began = performance.now();
  const played = await play(one, seed);
  const realSeconds = ((performance.now() - began) / 1_000).toFixed(1);
  process.stderr.write(
    `${scenario}: ${played.calls.length} calls, ${played.attempts.length} requests, ${realSeconds} s\n`,
  );
  return figures(played).map((figure) => rowOf(scenario, figure));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(help);
  else await main(options);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
