/** Of what was measured, in ms. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
  /** How many were looked at. */
  readonly count: number;
}

/** The last measurements, and when they were made. */
export interface Samples {
  add(value: number, now: number): void;
  /** Exact over those since then; `null` where there are none. */
  since(then: number): Percentiles | null;
}

/** @param most the oldest give way to new ones; room is taken as it is needed */
export function createSamples(most = 1_000): Samples {
  const values: number[] = [];
  const times: number[] = [];
  let next = 0;
  return {
    add(value, now) {
      values[next] = value;
      times[next] = now;
      next = (next + 1) % most;
    },
    since: (then) => percentilesOf(values.filter((_, place) => (times[place] as number) > then)),
  };
}

/** Of a millisecond: nobody reads the rest of its digits. */
export function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}

/** Sorts what it is given. */
export function percentilesOf(values: number[]): Percentiles | null {
  if (values.length === 0) return null;
  values.sort((a, b) => a - b);
  return {
    p50: rank(values, 0.5),
    p90: rank(values, 0.9),
    p99: rank(values, 0.99),
    max: rank(values, 1),
    count: values.length,
  };
}

/** The smallest value that is not below this share of them: one that was really measured. */
function rank(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}
