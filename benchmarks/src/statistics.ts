/** The middle, and how far the rounds went to either side of it. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** Round by round, so that a noise that slowed a whole round down cancels out. */
export function ratios(of: readonly number[], to: readonly number[]): readonly number[] {
  return of.map((value, round) => value / (to[round] ?? Number.NaN));
}
