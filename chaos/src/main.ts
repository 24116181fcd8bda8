// `npm run chaos`. What is broken, and what must hold all the same, stands in faults/.
import { fork } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

import { LEASE_MS } from "./faults/fault.ts";
import { faults } from "./faults/index.ts";
import { PROCESSES } from "./fleet.ts";
import { BUDGET_MINUTES, help, type Options, readOptions, UsageError } from "./options.ts";
import { reportOf, type Row, tableOf } from "./rows.ts";
import { createStage } from "./stage.ts";

const worker = new URL("worker.js", import.meta.url);
const startWorker = (config: string) =>
  fork(worker, [config], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    env: { PATH: process.env["PATH"] },
  });

async function main({ only, report }: Options): Promise<void> {
  const began = performance.now();
  const chosen = faults.filter(({ name }) => only.length === 0 || only.includes(name));
  say(
    `${chosen.length} faults, each against a Redis and ${PROCESSES} processes of its own, which ask for four times what there ` +
      `is; leases of ${LEASE_MS} ms. Everything together takes at most ${BUDGET_MINUTES} minutes.\n`,
  );
  const rows: Row[] = [];
  const stage = createStage(startWorker);
  // Whoever is stopped by SIGSTOP does not end by himself.
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void stage.clear().finally(() => process.exit(1)));
  for (const fault of chosen) {
    const from = performance.now();
    try {
      const told = await fault.run(stage);
      rows.push(...told);
      process.stderr.write(`${progress(told)} (${((performance.now() - from) / 1_000).toFixed(1)} s)\n`);
    } finally {
      await stage.clear();
    }
  }
  say(`\n${tableOf(rows)}`);
  const broken = rows.filter(({ held }) => !held);
  for (const { fault, complaints } of broken)
    for (const complaint of complaints) say(`${fault}: ${complaint}`);
  const tookMs = performance.now() - began;
  say(`\n${rows.length - broken.length} of ${rows.length} bounds held. ${Math.round(tookMs / 1_000)} s.`);
  if (report !== undefined) {
    const file = resolve(report);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(reportOf(rows), undefined, 2)}\n`);
    say(`The figures are in ${file}.`);
  }
  if (tookMs > BUDGET_MINUTES * 60_000)
    say(`That is more than ${BUDGET_MINUTES} minutes: the machine is slow, or busy.`);
  if (broken.length > 0) process.exitCode = 1;
}

/** The table comes when everything is over; this says how it goes. */
const progress = (rows: readonly Row[]): string =>
  rows
    .map(({ fault, worst, bound, held }) => `${fault} ${worst} of ${bound}${held ? "" : " BROKEN"}`)
    .join(", ");

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
