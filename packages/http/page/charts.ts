import type UPlot from "uplot";

import { make, set, write } from "./dom.ts";
import { clock, count, duration } from "./format.ts";
import type { Series } from "./state.ts";
import { sum } from "./unknown.ts";

// Served beside the page's own script.
declare const uPlot: typeof UPlot;

export interface Chart {
  readonly element: HTMLElement;
  update(series: Series): void;
  remove(): void;
}

interface Line {
  readonly word: string;
  /** The custom property that holds its colour, which follows light and dark. */
  readonly color: string;
  readonly dash?: readonly number[];
  value(point: Series["points"][number]): number | null;
}

interface Drawing {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly stacked: boolean;
  format(value: number): string;
  /** What the chart shows, for who does not see it. */
  tell(series: Series): string;
}

const HEIGHT = 150;

/** Steps of an axis that counts: there is no half of a call, and two ticks that are both called 1 would tell nothing. */
const WHOLE: number[] = Array.from({ length: 9 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat();
const FONT = "11px system-ui, sans-serif";

/** Calls by how they ended, one bar for each step, stacked. */
export const outcomesChart = (): Chart =>
  draw({
    title: "Calls by outcome",
    stacked: true,
    lines: [
      { word: "answered", color: "--answered", value: (point) => point.answered },
      { word: "failed", color: "--failed", value: (point) => point.failed },
      { word: "refused", color: "--refused", value: (point) => point.refused },
      { word: "cancelled", color: "--cancelled", value: (point) => point.cancelled },
    ],
    format: count,
    tell({ points, stepMs }) {
      const total = (of: (point: Series["points"][number]) => number): string => count(sum(points.map(of)));
      return (
        `Calls of the last ${duration(points.length * stepMs)}: ${total(({ answered }) => answered)} answered, ` +
        `${total(({ failed }) => failed)} failed, ${total(({ refused }) => refused)} refused, ` +
        `${total(({ cancelled }) => cancelled)} cancelled.`
      );
    },
  });

/** Time to the first token, over time. */
export const firstTokenChart = (): Chart =>
  draw({
    title: "Time to first token",
    stacked: false,
    lines: [
      { word: "p50", color: "--answered", value: (point) => point.firstTokenP50 },
      { word: "p99", color: "--slow", dash: [4, 3], value: (point) => point.firstTokenP99 },
    ],
    format: (value) => duration(value),
    tell({ points, stepMs }) {
      const known = points.map(({ firstTokenP99 }) => firstTokenP99).filter((value) => value !== null);
      const span = duration(points.length * stepMs);
      if (known.length === 0) return `No first token in the last ${span}.`;
      return `Time to first token in the last ${span}: the highest p99 was ${duration(Math.max(...known))}.`;
    },
  });

const colorOf = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function draw(drawing: Drawing): Chart {
  const { title, lines, stacked, format } = drawing;
  const canvas = make("div", { class: "plot", role: "img" });
  const readout = make("span", { class: "readout", "aria-hidden": "true" });
  const legend = make("p", { class: "legend" });
  const totals = lines.map(({ word, color, dash }) => {
    const sample = make("i", { class: dash === undefined ? "sample" : "sample dashed" });
    sample.style.setProperty("--color", `var(${color})`);
    const total = make("b");
    legend.append(make("span", {}, sample, word, " ", total));
    return total;
  });
  const element = make("figure", {}, make("figcaption", {}, make("h3", {}, title), readout), canvas, legend);
  let plot: UPlot | undefined;
  let shown: Series | undefined;

  const sizeOf = (): { width: number; height: number } => ({
    width: Math.max(120, canvas.clientWidth),
    height: HEIGHT,
  });
  const resized = new ResizeObserver(() => plot?.setSize(sizeOf()));
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  const recolor = (): void => plot?.redraw(false);
  scheme.addEventListener("change", recolor);

  /** Without a pointer: what the last whole minute says is in the figures, so nothing here. */
  function point(at: number | null | undefined): void {
    const found = at === null || at === undefined ? undefined : shown?.points[at];
    if (found === undefined || shown === undefined || at === null || at === undefined)
      return write(readout, "");
    const time = clock(shown.until - (shown.points.length - at) * shown.stepMs);
    const said = lines.flatMap((line) => {
      const value = line.value(found);
      return value === null || (stacked && value === 0) ? [] : [`${line.word} ${format(value)}`];
    });
    write(readout, `${time} · ${said.length === 0 ? "nothing" : said.join(", ")}`);
  }

  function options(): UPlot.Options {
    const axis: UPlot.Axis = {
      stroke: () => colorOf("--soft"),
      font: FONT,
      grid: { stroke: () => colorOf("--line"), width: 1 },
      ticks: { show: false },
    };
    const bars = uPlot.paths.bars?.({ size: [0.85, 40], align: -1 });
    // What lies on top of others is drawn first, and they over it.
    const order = stacked ? lines.toReversed() : lines;
    return {
      ...sizeOf(),
      padding: [8, 16, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { setScale: false, x: false, y: false } },
      scales: { x: { time: true }, y: { range: (_plot, _min, max) => [0, nice(max)] } },
      axes: [
        {
          ...axis,
          size: 24,
          space: 48,
          // It is told to the minute.
          incrs: [60, 120, 300],
          values: (_plot, ticks) => ticks.map((tick) => clock(tick * 1_000).slice(0, 5)),
        },
        {
          ...axis,
          size: 48,
          space: 28,
          gap: 6,
          ...(stacked && { incrs: WHOLE }),
          values: (_plot, ticks) => ticks.map((tick) => format(tick)),
        },
      ],
      series: [
        {},
        ...order.map(({ color, dash }): UPlot.Series =>
          stacked
            ? { fill: () => colorOf(color), width: 0, points: { show: false }, ...(bars && { paths: bars }) }
            : {
                stroke: () => colorOf(color),
                width: 2,
                points: { size: 4, width: 0, fill: () => colorOf(color) },
                ...(dash && { dash: [...dash] }),
              },
        ),
      ],
      hooks: { setCursor: [(current) => point(current.cursor.idx)] },
    };
  }

  return {
    element,
    update(series) {
      shown = series;
      set(canvas, "aria-label", drawing.tell(series));
      if (stacked)
        for (const [at, line] of lines.entries())
          write(totals[at] as Element, count(sum(series.points.map((one) => line.value(one) ?? 0))));
      const data = dataOf(series, lines, stacked);
      if (plot !== undefined) return plot.setData(data);
      plot = new uPlot(options(), data, canvas);
      resized.observe(canvas);
    },
    remove() {
      resized.disconnect();
      scheme.removeEventListener("change", recolor);
      plot?.destroy();
    },
  };
}

/** The top of the scale: an empty chart has one too. */
function nice(max: number | null): number {
  if (max === null || !(max > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(max));
  const steps = max / unit;
  return unit * (steps <= 1 ? 1 : steps <= 2 ? 2 : steps <= 5 ? 5 : 10);
}

function dataOf(
  { points, stepMs, until }: Series,
  lines: readonly Line[],
  stacked: boolean,
): UPlot.AlignedData {
  // A step is shown where it ends.
  const xs = points.map((_, at) => (until - (points.length - 1 - at) * stepMs) / 1_000);
  if (!stacked) return [xs, ...lines.map((line) => points.map((point) => line.value(point)))];
  const below = points.map(() => 0);
  const sums = lines.map((line) =>
    points.map((point, at) => (below[at] = (below[at] ?? 0) + (line.value(point) ?? 0))),
  );
  return [xs, ...sums.toReversed()];
}
