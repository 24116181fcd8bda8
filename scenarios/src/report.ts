import Table from "cli-table3";

import type { Figure } from "./figures.ts";

/** One row of the report. What waits for a part of Breakwater that is not there was not measured, and is not met. */
export interface ReportRow {
  readonly scenario: string;
  readonly figure: string;
  readonly limit: number | null;
  readonly measured: number | null;
  readonly met: boolean;
}

export const rowOf = (scenario: string, { figure, limit, measured, met }: Figure): ReportRow => ({
  scenario,
  figure,
  limit,
  // JSON knows no infinity.
  measured: Number.isFinite(measured) ? measured : null,
  met,
});

export const waitingRow = (scenario: string, waitsFor: string): ReportRow => ({
  scenario,
  figure: `waits for ${waitsFor}`,
  limit: null,
  measured: null,
  met: false,
});

const isWaiting = ({ figure, limit }: ReportRow): boolean =>
  limit === null && figure.startsWith("waits for ");

export const missed = (rows: readonly ReportRow[]): readonly ReportRow[] =>
  rows.filter((row) => !row.met && !isWaiting(row));

export const waitingFor = (rows: readonly ReportRow[]): readonly ReportRow[] => rows.filter(isWaiting);

export function tableOf(rows: readonly ReportRow[]): string {
  const table = new Table({
    head: ["scenario", "figure", "limit", "measured", ""],
    colAligns: ["left", "left", "right", "right", "left"],
    style: { head: [], border: [], compact: true },
  });
  let last = "";
  for (const row of rows) {
    const { figure, limit, measured, met, scenario } = row;
    table.push([
      scenario === last ? "" : scenario,
      figure,
      limit === null ? "" : String(limit),
      isWaiting(row) ? "" : measured === null ? "never" : String(measured),
      isWaiting(row) ? "waits" : met ? "met" : "MISSED",
    ]);
    last = scenario;
  }
  return table.toString();
}
