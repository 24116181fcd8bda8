import { createLogUpdate } from "log-update";

import type { Arrival } from "./arrivals.ts";
import { bandsOf } from "./bands.ts";
import type { CallRecord } from "./browser.ts";
import { type ColumnName, columns } from "./columns/index.ts";
import type { Evening } from "./evening.ts";
import { type Fate, fateOf } from "./fate.ts";

/** Tells what is going on while it goes on. */
export interface Progress {
  start(arrivals: readonly Arrival[], now: () => number): void;
  count(column: ColumnName, call: CallRecord): void;
  stop(): void;
}

type Tally = Record<Fate, number>;

const LIVE_MS = 250;
const PLAIN_MS = 10_000;

/** Redraws a few lines on a terminal; elsewhere (a log, a pipe) writes a line now and then. */
export function createProgress(
  names: readonly ColumnName[],
  evening: Evening,
  out: NodeJS.WriteStream,
): Progress {
  const tallies = new Map<ColumnName, Tally>(
    names.map((name) => [name, { correct: 0, cut: 0, refused: 0, error: 0, hung: 0 }]),
  );
  const bands = bandsOf(evening.deepseek, Infinity);
  const live = out.isTTY ? createLogUpdate(out) : undefined;
  let timer: NodeJS.Timeout | undefined;

  function headline(nowMs: number): string {
    const doing = bands.filter(({ fromMs, toMs }) => nowMs >= fromMs && nowMs < toMs).map(({ name }) => name);
    const asked = nowMs < evening.durationMs ? "" : "no more questions, waiting for the last answers";
    return `${clock(nowMs)}  ${[...doing, asked].filter(Boolean).join(", ") || "calm"}`;
  }

  function block(nowMs: number, arrivals: readonly Arrival[]): string {
    const come = arrivals.filter(({ atMs }) => atMs <= nowMs).length;
    const lines = names.map((name) => {
      const tally = tallies.get(name) as Tally;
      const open = come - Object.values(tally).reduce((sum, count) => sum + count, 0);
      return (
        `  ${columns[name].title.padEnd(24)}${cell(tally.correct, "correct")}${cell(tally.cut, "cut")}` +
        `${cell(tally.refused, "refused")}${cell(tally.error, "errors")}${cell(Math.max(0, open), "waiting")}`
      );
    });
    return [headline(nowMs), ...lines].join("\n");
  }

  function line(nowMs: number): string {
    const parts = names.map((name) => {
      const { correct, cut, refused, error } = tallies.get(name) as Tally;
      return `${name} ${correct} correct ${cut} cut ${refused + error} failed`;
    });
    return `${headline(nowMs)} | ${parts.join(" | ")}\n`;
  }

  return {
    start(arrivals, now) {
      const show = (): unknown =>
        live === undefined ? out.write(line(now())) : live(block(now(), arrivals));
      timer = setInterval(show, live === undefined ? PLAIN_MS : LIVE_MS);
    },
    count(column, call) {
      const tally = tallies.get(column);
      if (tally !== undefined) tally[fateOf(call)]++;
    },
    stop() {
      clearInterval(timer);
      live?.clear();
    },
  };
}

const cell = (count: number, label: string): string => `${String(count).padStart(6)} ${label}`;

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
