import { markdownTable } from "markdown-table";

import { judge } from "./aims.ts";
import type { Machine } from "./machine.ts";
import type { Effort, Measured, MeasuredCase } from "./measure.ts";
import type { Spread } from "./statistics.ts";

export interface Results {
  readonly machine: Machine;
  readonly command: string;
  readonly effort: Effort;
  readonly cases: readonly MeasuredCase[];
}

/** One page for the terminal and for the repository alike. */
export function pageOf({ machine, command, effort, cases }: Results): string {
  const { node, v8, cpus, load, arch, versions } = machine;
  const aims = judge(cases);
  const sections = [
    `# Node ${node}`,
    `Breakwater ${versions["breakwater"]}, cockatiel ${versions["cockatiel"]}, opossum ${versions["opossum"]}; ` +
      `V8 ${v8}; ${cpus} vCPU ${arch} under a load of ${load.toFixed(1)} to begin with; \`${command}\`; ${effort.rounds} rounds of ${effort.ms} ms. ` +
      `"times" is how many times as long as Breakwater a call takes: the median of the rounds, and their range. ` +
      `Over 1, Breakwater is faster.${toldOf(node)}`,
    resultTable(cases),
    ...(aims.length === 0 ? [] : ["## Aims", aimTable(cases)]),
  ];
  return `${sections.join("\n\n")}\n`;
}

function toldOf(node: string): string {
  return Number.parseInt(node, 10) < 22
    ? " Both peers ask for Node 22 or newer; they run on this line all the same, though nobody promises it."
    : "";
}

function resultTable(cases: readonly MeasuredCase[]): string {
  const head = ["case", "side", "ns per call", "times", "bytes per call", "ticks"];
  const rows = cases.flatMap(({ title, sides }) =>
    sides.map((side, at) => [at === 0 ? title : "", side.label, ...figuresOf(side, at === 0)]),
  );
  return markdownTable([head, ...rows], { align: ["l", "l", "r", "r", "r", "r"] });
}

const figuresOf = ({ ns, times, bytes, ticks }: Measured, isFirst: boolean): readonly string[] => [
  String(Math.round(ns.median)),
  isFirst ? "1" : range(times),
  String(bytes),
  String(ticks),
];

function aimTable(cases: readonly MeasuredCase[]): string {
  const rows = judge(cases).map(({ what, measured, reached }) => [
    what,
    range(measured),
    reached ? "reached" : "not reached",
  ]);
  return markdownTable([["aim", "measured", ""], ...rows]);
}

const range = ({ median, min, max }: Spread): string => `${short(median)} (${short(min)} to ${short(max)})`;

const short = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(0));
