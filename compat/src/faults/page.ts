import type { Case } from "./catalogue.ts";
import type { Strikes } from "./host.ts";
import { rows } from "./row.ts";
import type { How } from "./see.ts";
import { inWords, type Verdict, verdictOf } from "./words.ts";

const START = "<!-- faults:start -->";
const END = "<!-- faults:end -->";

/** The page with what stands between its marks made anew. */
export function pageWith(page: string, cases: readonly Case[]): string {
  const start = page.indexOf(START);
  const end = page.indexOf(END, start);
  if (start < 0 || end < 0) throw new Error(`the page has no ${START} … ${END}`);
  return `${page.slice(0, start + START.length)}\n\n${generated(cases)}\n\n${page.slice(end)}`;
}

function generated(cases: readonly Case[]): string {
  return [
    "## In sum",
    sums(cases),
    "## Where the plain client gets further",
    further(cases),
    "## It strikes once, then the host is well",
    table(cases, "once"),
    "## It strikes every time",
    table(cases, "always"),
    "## Answers that are what the host said (°)",
    rows
      .flatMap(({ name, spoken }) => (spoken === undefined ? [] : [`- \`${name}\`: ${spoken}.`]))
      .join("\n"),
    '## Whole answers with `upstreamMode: "stream"`',
    asStream(cases),
  ].join("\n\n");
}

const SUMS: readonly (readonly [Verdict, string])[] = [
  ["complete", "the whole answer"],
  ["error", "an error"],
  ["spoken", "what the host said (°)"],
  ["silent", "**half an answer, or none, and no error**"],
  ["hangs", "**still waiting after 20 minutes**"],
];

/** Of the faults alone: `none` is there to compare with. */
function sums(cases: readonly Case[]): string {
  const columns = (["once", "always"] as const).flatMap((strikes) =>
    (["alone", "through"] as const).map((how) => ({ strikes, how })),
  );
  const count = (verdict: Verdict, { strikes, how }: { strikes: Strikes; how: How }): string =>
    String(
      cases.filter(
        (each) =>
          each.row.name !== "none" &&
          each.strikes === strikes &&
          each.how === how &&
          verdictOf(each.row, each.seen) === verdict,
      ).length,
    );
  return markdown([
    [
      "a caller is left with",
      "once, alone",
      "once, Breakwater",
      "every time, alone",
      "every time, Breakwater",
    ],
    ...SUMS.map(([verdict, words]) => [words, ...columns.map((column) => count(verdict, column))]),
  ]);
}

/** What the plain client completes and the same client through Breakwater does not. */
export function behind(cases: readonly Case[]): readonly Case[] {
  return cases.filter(
    (each) =>
      each.how === "through" &&
      each.seen.text !== "complete" &&
      cases.some(
        (other) =>
          other.how === "alone" &&
          other.row === each.row &&
          other.strikes === each.strikes &&
          other.stream === each.stream &&
          other.seen.text === "complete",
      ),
  );
}

function further(cases: readonly Case[]): string {
  const lines = behind(cases).map(({ row, stream, strikes }) => {
    const when = strikes === "once" ? "once" : "every time";
    return `- \`${row.name}\`, ${stream ? "streamed" : "whole"}, ${when}: ${row.behind ?? "nobody knows why"}.`;
  });
  return lines.length === 0 ? "Nowhere." : lines.join("\n");
}

function table(cases: readonly Case[], strikes: Strikes): string {
  const cell = (name: string, stream: boolean, how: How): string =>
    wordsOf(cases, name, strikes, stream, how);
  return markdown([
    ["fault", "streamed, alone", "streamed, Breakwater", "whole, alone", "whole, Breakwater"],
    ...rows.map(({ action, name, spoken }) => [
      `\`${action}\`${spoken === undefined ? "" : " °"}`,
      cell(name, true, "alone"),
      cell(name, true, "through"),
      cell(name, false, "alone"),
      cell(name, false, "through"),
    ]),
  ]);
}

/** Only where it makes a difference. */
function asStream(cases: readonly Case[]): string {
  const cells = rows.map(({ action, name }) => ({
    action,
    usual: (["once", "always"] as const).map((strikes) => wordsOf(cases, name, strikes, false, "through")),
    streamed: (["once", "always"] as const).map((strikes) =>
      wordsOf(cases, name, strikes, false, "as-stream"),
    ),
  }));
  return markdown([
    ["fault", "once", "every time"],
    ...cells
      .filter(({ streamed, usual }) => streamed.join() !== usual.join())
      .map(({ action, streamed }) => [`\`${action}\``, ...streamed]),
  ]);
}

function wordsOf(cases: readonly Case[], name: string, strikes: Strikes, stream: boolean, how: How): string {
  const found = cases.find(
    (each) =>
      each.row.name === name && each.strikes === strikes && each.stream === stream && each.how === how,
  );
  if (found === undefined) throw new Error(`${name} was not tried`);
  return inWords(found.row, found.seen);
}

/** As the formatter of this repository would have it. */
function markdown([head = [], ...body]: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...body].map((line) => line[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(head), rule, ...body.map(line)].join("\n");
}
