import { build } from "hdr-histogram-js";

/** Durations in milliseconds of the evening; all of them 0 when there were none. */
export interface Latencies {
  readonly count: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

export function latenciesOf(durationsMs: Iterable<number>): Latencies {
  const histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 3_600_000,
    numberOfSignificantValueDigits: 3,
  });
  let sum = 0;
  for (const ms of durationsMs) {
    histogram.recordValue(Math.max(1, Math.round(ms)));
    sum += ms;
  }
  const count = histogram.totalCount;
  const percentile = (share: number): number => (count === 0 ? 0 : histogram.getValueAtPercentile(share));
  return {
    count,
    meanMs: count === 0 ? 0 : Math.round(sum / count),
    p50Ms: percentile(50),
    p90Ms: percentile(90),
    p95Ms: percentile(95),
    p99Ms: percentile(99),
  };
}
