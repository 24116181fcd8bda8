import Table from "cli-table3";

import type { Waits } from "./history.ts";

/** One line of the table, and of the report. */
export interface Row {
  readonly fault: string;
  readonly injected: string;
  /** What `bound` and `worst` count, and what the bound is made of. */
  readonly unit: string;
  readonly bound: number;
  /** -1: never. */
  readonly worst: number;
  readonly longestWaitMs: number;
  readonly held: boolean;
  /** Why it did not hold, where that is not the figure itself. */
  readonly complaints: readonly string[];
}

/**
 * Of any caller, whatever is broken, without the time for which his process got no processor. A decision has 50 ms, the
 * first ones three times that; the rest is for a machine on which many processes take turns.
 */
export const WAIT_BOUND_MS = 1_000;

export interface Measured {
  readonly unit: string;
  readonly bound: number;
  readonly worst: number;
  /** @default WAIT_BOUND_MS */
  readonly waitBoundMs?: number;
}

export function rowOf(
  fault: string,
  injected: string,
  { unit, bound, worst, waitBoundMs = WAIT_BOUND_MS }: Measured,
  waits: Waits,
  complaints: readonly string[],
): Row {
  const waited = Math.round(waits.longestOwnMs);
  const tooLong = waited > waitBoundMs ? [`somebody waited for ${waited} ms, at most ${waitBoundMs} ms`] : [];
  const all = [...complaints, ...tooLong];
  return {
    fault,
    injected,
    unit,
    bound,
    worst: Number.isFinite(worst) ? Math.round(worst) : -1, // JSON knows no infinity
    longestWaitMs: Math.round(waits.longestMs),
    held: worst <= bound && all.length === 0,
    complaints: all,
  };
}

export function tableOf(rows: readonly Row[]): string {
  const table = new Table({
    head: ["fault", "injected", "what is bounded", "bound", "worst", "longest wait", ""],
    colAligns: ["left", "left", "left", "right", "right", "right", "left"],
    colWidths: [28, 40, 44, 8, 8, 10, 9],
    wordWrap: true,
    style: { head: [], border: [] },
  });
  let last = "";
  for (const { fault, injected, unit, bound, worst, longestWaitMs, held } of rows) {
    const figure = worst === -1 ? "never" : String(worst);
    const wait = `${longestWaitMs} ms`;
    table.push([
      fault,
      injected === last ? "″" : injected,
      unit,
      String(bound),
      figure,
      wait,
      held ? "held" : "BROKEN",
    ]);
    last = injected;
  }
  return table.toString();
}

/** What `--report` writes. */
export const reportOf = (rows: readonly Row[]): object[] =>
  rows.map(({ fault, bound, worst, longestWaitMs, held, unit, complaints }) => ({
    fault,
    bound,
    worst,
    longestWaitMs,
    held,
    unit,
    ...(complaints.length > 0 && { complaints }),
  }));
