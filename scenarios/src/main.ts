// `npm run scenarios`. Which scenario asks for what stands in cases/.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

import { cases } from "./cases/index.ts";
import { help, type Options, readOptions, UsageError } from "./options.ts";
import { playAll } from "./players.ts";
import { missed, type ReportRow, tableOf, waitingFor, waitingRow } from "./report.ts";
import { STEP_MS } from "./world.ts";

async function main({ only, report, seed }: Options): Promise<void> {
  const began = performance.now();
  const chosen = cases.filter(({ scenario }) => only.length === 0 || only.includes(scenario));
  say(
    `${chosen.length} scenarios of the simulator, seed ${seed}, in virtual time (the clocks of client and host go in ` +
      `turns, ${STEP_MS} ms at a time), with the defaults of createDeepSeek where nothing else is said.\n`,
  );
  const playable = chosen.filter(({ waitsFor }) => waitsFor === undefined);
  const told = await playAll(playable, seed, (scenario, { calls, requests }, seconds) =>
    process.stderr.write(`${scenario}: ${calls} calls, ${requests} requests, ${seconds.toFixed(1)} s\n`),
  );
  const rows: ReportRow[] = chosen.flatMap((each) =>
    each.waitsFor === undefined
      ? (told[playable.indexOf(each)]?.rows ?? [])
      : [waitingRow(each.scenario, each.waitsFor)],
  );
  say(`\n${tableOf(rows)}`);
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
