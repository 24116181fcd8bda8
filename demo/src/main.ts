// `npm run demo`. Asks, watches, and writes down what came of it; what it asks and how is told in run.ts.
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { stopChildren } from "./child.ts";
import { wrongClocks } from "./clock-check.ts";
import { evenings } from "./evening.ts";
import { help, type Options, readOptions, UsageError } from "./options.ts";
import { pictureOf } from "./picture.ts";
import { createProgress } from "./progress.ts";
import { updateReadmes } from "./readme.ts";
import { reportOf } from "./report.ts";
import { CUT_OFF_MS, runColumns } from "./run.ts";
import { summarize } from "./summary.ts";
import { markdownTable, terminalTable } from "./table.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Later than this, in the evening's time, and the machine is in the figures. */
const LATE_MS = 500;

async function main(options: Options): Promise<void> {
  const began = performance.now();
  const { severity, seed, users, timeScale } = options;
  const evening = evenings[severity];
  const { durationMs } = evening;
  const wallSeconds = Math.round(((durationMs + CUT_OFF_MS) * timeScale) / 1_000);
  say(`Severity "${severity}": ${evening.summary}.`);
  say(
    `${users} users ask in ${durationMs / 60_000} minutes, seed ${seed}, the same questions at the same moments in every column, ` +
      `whether or not earlier ones have been answered. Who has waited ${CUT_OFF_MS / 60_000} minutes has left.`,
  );
  say(
    `Every clock of every side runs ${(1 / timeScale).toFixed(1)} times as fast (timeScale ${timeScale}): at most ${wallSeconds} s here. ` +
      "All figures are in the evening's own time.\n",
  );

  const progress = createProgress(options.columns, evening, process.stdout);
  const run = runColumns(
    { ...options, evening },
    {
      onReady(clocks) {
        const wrong = wrongClocks(clocks, timeScale).map(
          ({ clock, realMs }) => `${clock} ${realMs.toFixed(1)} ms`,
        );
        const kinds = [...new Set(clocks.map(({ clock }) => clock))];
        const mean = clocks.reduce((sum, { realMs }) => sum + realMs, 0) / clocks.length;
        const expected = `a second took ${mean.toFixed(1)} ms in the mean, ${1_000 * timeScale} expected`;
        say(`Clocks checked in every column: ${kinds.join(", ")}. ${capital(expected)}.`);
        if (wrong.length > 0) say(`These are off, so take the figures with care: ${wrong.join(", ")}.`);
        say("");
      },
      onStart: (arrivals, now) => progress.start(arrivals, now),
      onEnd: (column, call) => progress.count(column, call),
    },
  );
  const { columns: results, lag } = await run.finally(() => progress.stop());

  const summaries = results.map((result) => summarize(result, durationMs));
  say(terminalTable(summaries));
  const garbled = summaries.reduce((sum, summary) => sum + summary.garbled, 0);
  if (garbled > 0) say(`${garbled} answers had words in them that do not belong there.`);
  say(
    "Answered: the time to the end of what looked like an answer, complete or not; who was left hanging counts with " +
      `${CUT_OFF_MS / 60_000} minutes.`,
  );
  say(
    `The latest process was late by ${lag.p99Ms.toFixed(0)} ms (p99) and ${lag.maxMs.toFixed(0)} ms (worst), which is ` +
      `${seconds(lag.p99Ms / timeScale)} and ${seconds(lag.maxMs / timeScale)} of the evening. All of them took ` +
      `${seconds(lag.cpuMs)} of processor time, on ${availableParallelism()} processors.`,
  );
  if (lag.p99Ms / timeScale > LATE_MS) {
    say(
      "That is too late to be believed: the machine had other things to do. Use a larger --time-scale, or a calm machine.",
    );
  }

  const subtitle = `${users} users, one question each: ${evening.summary}. Simulated, seed ${seed}.`;
  const picture = options.picture === undefined ? resolve(root, ".cache/demo.svg") : resolve(options.picture);
  write(picture, pictureOf(results, evening, subtitle));
  say(`Picture: ${picture}`);
  if (options.report !== undefined) {
    write(resolve(options.report), `${JSON.stringify(reportOf(summaries), null, 2)}\n`);
    say(`Report: ${resolve(options.report)}`);
  }
  const markdown = markdownTable(summaries);
  if (options.markdown) say(`\n${markdown}\n`);
  if (options.updateReadme) {
    const files = ["README.md", "README.zh-CN.md"].map((name) => resolve(root, name));
    for (const line of updateReadmes(files, markdown)) say(line);
  }
  say(`Took ${seconds(performance.now() - began)}.`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function write(file: string, content: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

process.on("exit", stopChildren);
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.on(signal, () => process.exit(code));
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) say(help);
  else await main(options);
} catch (error) {
  process.stderr.write(
    `${error instanceof UsageError ? error.message : String((error as Error).stack ?? error)}\n`,
  );
  process.exitCode = error instanceof UsageError ? 2 : 1;
  stopChildren();
}
