import Table from "cli-table3";

import { columns } from "./columns/index.ts";
import type { Latencies } from "./latencies.ts";
import type { Count, Summary } from "./summary.ts";

/** The rows of the table: a heading, then one cell for each column. Terminal and README show the same ones. */
function rowsOf(summaries: readonly Summary[]): readonly (readonly [string, ...string[]])[] {
  const row = (heading: string, cell: (summary: Summary) => string): [string, ...string[]] => [
    heading,
    ...summaries.map(cell),
  ];
  return [
    row("calls", ({ calls }) => String(calls)),
    row("looked successful", (s) => `${s.lookedSuccessful} (${percent(s.lookedSuccessful, s.calls)})`),
    row("complete and correct", (s) => `${s.fates.correct} (${percent(s.fates.correct, s.calls)})`),
    row("silently cut", ({ fates }) => String(fates.cut)),
    row("hanging at the cut-off", ({ fates }) => String(fates.hung)),
    row("refused (told after, p50)", ({ fates, toRefusal }) =>
      fates.refused === 0 ? "0" : `${fates.refused} (${duration(toRefusal.p50Ms)})`,
    ),
    row("errors", ({ fates, errors }) => [String(fates.error), ...kinds(errors)].join("\n")),
    row("first token p50 / p99", ({ firstToken }) => spread(firstToken, ["p50Ms", "p99Ms"])),
    row("answered mean", ({ answered }) => spread(answered, ["meanMs"])),
    row("answered p50 / p90", ({ answered }) => spread(answered, ["p50Ms", "p90Ms"])),
    row("answered p95 / p99", ({ answered }) => spread(answered, ["p95Ms", "p99Ms"])),
    row("time to an error p99", ({ toError }) => spread(toError, ["p99Ms"])),
    row("goodput a second", ({ goodputPerSecond }) => goodputPerSecond.toFixed(2)),
    row("upstream requests a call", (s) => (s.calls === 0 ? "–" : (s.upstreamRequests / s.calls).toFixed(2))),
    row("wasted tokens", (s) => s.wastedTokens.toLocaleString("en")),
  ];
}

export function terminalTable(summaries: readonly Summary[]): string {
  const table = new Table({
    head: ["", ...titles(summaries)],
    colAligns: ["left", ...summaries.map(() => "right" as const)],
    style: { head: [], border: [], compact: true },
  });
  table.push(...rowsOf(summaries).map((row) => [...row]));
  return table.toString();
}

export function markdownTable(summaries: readonly Summary[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(["", ...titles(summaries)]),
    line(["---", ...summaries.map(() => "---:")]),
    ...rowsOf(summaries).map((row) => line(row.map((cell) => cell.replaceAll("\n", "<br>")))),
  ].join("\n");
}

const titles = (summaries: readonly Summary[]): readonly string[] =>
  summaries.map(({ column }) => columns[column].title);

function percent(part: number, whole: number): string {
  return whole === 0 ? "–" : `${((100 * part) / whole).toFixed(1)} %`;
}

/** The most frequent kinds by name, and the rest as a number. */
function kinds(counts: readonly Count[]): string[] {
  const named = counts.slice(0, 4).map(({ kind, count }) => `${count} ${kind}`);
  const rest = counts.slice(4).reduce((sum, { count }) => sum + count, 0);
  return rest === 0 ? named : [...named, `${rest} more`];
}

function spread(latencies: Latencies, which: readonly Exclude<keyof Latencies, "count">[]): string {
  return latencies.count === 0 ? "–" : which.map((name) => duration(latencies[name])).join(" / ");
}

function duration(ms: number): string {
  if (ms < 100) return `${ms} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${Math.round(ms / 1_000)} s`;
}
