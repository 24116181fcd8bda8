import { type ScaleLinear, scaleLinear, type ScaleLogarithmic, scaleLog } from "d3-scale";

import { backgroundOf, type Band, bandsOf } from "./bands.ts";
import type { CallRecord } from "./browser.ts";
import { columns } from "./columns/index.ts";
import type { Evening } from "./evening.ts";
import { type Fate, fateOf } from "./fate.ts";
import { CUT_OFF_MS, type ColumnResult } from "./run.ts";

const WIDTH = 1000;
const LEFT = 58;
const RIGHT = 18;
const HEADER = 92;
const PANEL = 104;
const GAP = 34;
const STRIP = 4;
const FOOTER = 44;
const FONT = "font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif";

/** From half a second to four minutes, and a little room on both sides. */
const SHORTEST_MS = 400;
const LONGEST_MS = CUT_OFF_MS * 1.5;

interface Scales {
  readonly x: ScaleLinear<number, number>;
  readonly y: ScaleLogarithmic<number, number>;
}

/** What DeepSeek did: bands behind the dots, and strips below them for what it did all the time. */
interface Deeds {
  readonly bands: readonly Band[];
  readonly background: readonly Band[];
}

/** Drawn in this order: what must not be overlooked comes last. */
const marks: readonly { fate: Fate; label: string; shape: "dot" | "ring" | "bar" }[] = [
  { fate: "correct", label: "complete and correct", shape: "dot" },
  { fate: "refused", label: "refused at once", shape: "dot" },
  { fate: "error", label: "error", shape: "dot" },
  { fate: "hung", label: "still hanging after 4 min", shape: "bar" },
  { fate: "cut", label: "cut, but called a success", shape: "ring" },
];

const style = `
text{${FONT};font-size:12px;fill:#57606a}
.title{font-size:17px;font-weight:600;fill:#1f2328}
text.deed{font-size:11px}.name{font-size:13px;font-weight:600;fill:#1f2328}
.card{fill:#ffffff}.band{fill:#8c959f;fill-opacity:.16}.strip{fill:#8c959f;fill-opacity:.45}.grid{stroke:#8c959f;stroke-opacity:.28;fill:none}
.dot{fill:none;stroke-width:3.4;stroke-linecap:round;stroke-opacity:.8}
.bar{fill:none;stroke-width:1.6;stroke-opacity:.9}.ring{fill:none;stroke-width:1.7}
.correct{stroke:#0a8f6c}.refused{stroke:#d99a00}.error{stroke:#d1442f}.hung{stroke:#7a4fd0}.cut{stroke:#d6248f}
@media (prefers-color-scheme:dark){
text{fill:#9198a1}.title,.name{fill:#f0f6fc}.card{fill:#0d1117}
.correct{stroke:#2bb594}.refused{stroke:#eab530}.error{stroke:#f0705c}.hung{stroke:#a886f0}.cut{stroke:#ff6cc0}}
`.replaceAll("\n", "");

/**
 * A dot for every call, at its end: to the right by when that was, upwards by how long its user had waited. Grey bands
 * say what DeepSeek did. Light and dark by the reader's own setting, on a ground of its own in either.
 */
export function pictureOf(results: readonly ColumnResult[], evening: Evening, subtitle: string): string {
  const height = HEADER + results.length * (PANEL + GAP) + FOOTER;
  const lastMs = endOf(results, evening);
  const x = scaleLinear()
    .domain([0, lastMs])
    .range([LEFT, WIDTH - RIGHT]);
  const y = scaleLog().domain([SHORTEST_MS, LONGEST_MS]).range([PANEL, 0]);
  const deeds: Deeds = {
    bands: bandsOf(evening.deepseek, lastMs),
    background: backgroundOf(evening.deepseek, lastMs),
  };

  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="t">`,
    `<title id="t">How every call ended, column by column</title>`,
    `<style>${style}</style>`,
    `<rect class="card" width="${WIDTH}" height="${height}" rx="8"/>`,
    `<text class="title" x="18" y="30">One evening at DeepSeek, asked in ${inWords(results.length)}</text>`,
    `<text x="18" y="50">${escape(subtitle)}</text>`,
    legend(72),
    ...results.map((result, index) =>
      at(HEADER + index * (PANEL + GAP), panel(result, { x, y }, deeds, index === 0)),
    ),
    at(height - FOOTER + 4, timeAxis(x, lastMs)),
    "</svg>",
  ].join("\n");
}

/** Half a minute after the last call, and on a half minute. */
function endOf(results: readonly ColumnResult[], { durationMs }: Evening): number {
  const ends = results.flatMap(({ calls }) => calls.map(({ endMs }) => endMs));
  const last = ends.reduce((latest, end) => Math.max(latest, end), durationMs);
  return Math.ceil((last + 15_000) / 30_000) * 30_000;
}

const at = (top: number, content: string): string => `<g transform="translate(0 ${top})">${content}</g>`;

const inWords = (count: number): string => (count === 1 ? "one way" : `${count} ways`);

function panel(result: ColumnResult, scales: Scales, deeds: Deeds, named: boolean): string {
  const { x, y } = scales;
  const calls = result.calls.length;
  const number = (fate: Fate): number => result.calls.filter((call) => fateOf(call) === fate).length;
  const share = calls === 0 ? "–" : `${((100 * number("correct")) / calls).toFixed(1)} %`;
  const verdict = [
    `${share} complete and correct`,
    `${number("cut")} silently cut`,
    `${number("hung")} left hanging`,
    `${number("error") + number("refused")} told of an error`,
  ].join("  ·  ");
  const area = (look: string, { name, fromMs, toMs }: Band, top: number, label: number): string => {
    const left = round(x(fromMs));
    const rect = `<rect class="${look}" x="${left}" y="${top}" width="${round(x(toMs) - x(fromMs))}" height="${PANEL - top}"/>`;
    return named ? `${rect}<text class="deed" x="${left + 4}" y="${label}">${escape(name)}</text>` : rect;
  };
  const grey = [
    ...deeds.bands.map((band) => area("band", band, 0, 12)),
    ...deeds.background.map((band) => area("strip", band, PANEL - STRIP, PANEL - STRIP - 4)),
  ];
  const grid = [1_000, 10_000, 100_000].map(
    (ms) =>
      `<path class="grid" d="M${LEFT} ${round(y(ms))}H${WIDTH - RIGHT}"/>` +
      `<text x="${LEFT - 8}" y="${round(y(ms)) + 4}" text-anchor="end">${ms / 1_000} s</text>`,
  );
  return (
    at(20, grey.join("") + grid.join("") + marks.map((mark) => drawn(mark, result.calls, scales)).join("")) +
    `<text class="name" x="${LEFT}" y="13">${escape(columns[result.column].title)}</text>` +
    `<text x="${WIDTH - RIGHT}" y="13" text-anchor="end">${verdict}</text>`
  );
}

/** All marks of one kind are one path: thousands of elements would make the file, and the browser, heavy. */
function drawn(
  { fate, shape }: (typeof marks)[number],
  calls: readonly CallRecord[],
  { x, y }: Scales,
): string {
  const points = calls.filter((call) => fateOf(call) === fate);
  if (points.length === 0) return "";
  const path = points.map((call) => {
    const waited = Math.min(Math.max(call.endMs - call.atMs, SHORTEST_MS), LONGEST_MS);
    return stroke(shape, round(x(Math.min(call.endMs, x.domain()[1] as number))), round(y(waited)));
  });
  return `<path class="${shape} ${fate}" d="${path.join("")}"/>`;
}

function stroke(shape: "dot" | "ring" | "bar", x: number, y: number): string {
  if (shape === "dot") return `M${x} ${y}h0`;
  if (shape === "bar") return `M${x} ${round(y - 5)}v10`;
  return `M${round(x - 4)} ${y}a4 4 0 1 0 8 0a4 4 0 1 0-8 0`;
}

function legend(top: number): string {
  let left = 24;
  const entries = marks.map(({ fate, label, shape }) => {
    const entry = `<path class="${shape} ${fate}" d="${stroke(shape, left, top - 4)}"/><text x="${left + 10}" y="${top}">${label}</text>`;
    left += 34 + label.length * 6.6;
    return entry;
  });
  return entries.join("");
}

function timeAxis(x: ScaleLinear<number, number>, lastMs: number): string {
  const minutes = Array.from({ length: Math.floor(lastMs / 60_000) + 1 }, (_, minute) => minute);
  const ticks = minutes.map(
    (minute) =>
      `<text x="${round(x(minute * 60_000))}" y="0" text-anchor="middle">${minute}${minute === 0 ? " min" : ""}</text>`,
  );
  return (
    ticks.join("") +
    `<text x="${LEFT}" y="24">A dot for every call, at its end. Upwards: how long its user had waited (logarithmic).</text>`
  );
}

/** A tenth of a pixel is enough, and half of the file. */
const round = (value: number): number => Math.round(value * 10) / 10;

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
