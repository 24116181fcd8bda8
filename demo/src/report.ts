import type { Summary } from "./summary.ts";

/** One column as `--report` writes it. Durations are milliseconds of the evening, not of the clock on the wall. */
export interface ReportEntry {
  readonly column: string;
  readonly calls: number;
  readonly lookedSuccessful: number;
  /** Complete and correct answers, as a share of all calls. */
  readonly verifiedRate: number;
  readonly silentlyCut: number;
  readonly hung: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly goodputPerSecond: number;
  readonly upstreamRequests: number;
  readonly wastedTokens: number;
}

export function reportOf(summaries: readonly Summary[]): readonly ReportEntry[] {
  return summaries.map((summary) => ({
    column: summary.column,
    calls: summary.calls,
    lookedSuccessful: summary.lookedSuccessful,
    verifiedRate: summary.calls === 0 ? 0 : Number((summary.fates.correct / summary.calls).toFixed(4)),
    silentlyCut: summary.fates.cut,
    hung: summary.fates.hung,
    meanMs: summary.answered.meanMs,
    p50Ms: summary.answered.p50Ms,
    p95Ms: summary.answered.p95Ms,
    p99Ms: summary.answered.p99Ms,
    goodputPerSecond: summary.goodputPerSecond,
    upstreamRequests: summary.upstreamRequests,
    wastedTokens: summary.wastedTokens,
  }));
}
