/** From begin to end, µs. */
export interface Interval {
  readonly from: number;
  readonly to: number;
}

/** How many lie over one moment at most; the end of one and the begin of another in the same µs do not meet. */
export function worstOverlap(intervals: readonly Interval[]): number {
  const steps = intervals
    .flatMap(({ from, to }) => [
      { at: from, by: 1 },
      { at: to, by: -1 },
    ])
    .toSorted((a, b) => a.at - b.at || a.by - b.by);
  let worst = 0;
  let count = 0;
  for (const { by } of steps) {
    count += by;
    worst = Math.max(worst, count);
  }
  return worst;
}

export const overlapAt = (intervals: readonly Interval[], at: number): number =>
  intervals.filter(({ from, to }) => from <= at && at < to).length;
