export interface Backoff {
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  readonly factor: number;
}

/**
 * The longest wait before attempt `attempt` (2 is the first retry): `base · factor^(attempt − 2)`, capped. Stays finite
 * and at most `maxDelayMs` however often it is asked.
 */
export function ceiling({ baseDelayMs, maxDelayMs, factor }: Backoff, attempt: number): number {
  const grown = baseDelayMs * factor ** Math.max(0, attempt - 2);
  return Math.min(maxDelayMs, Number.isFinite(grown) ? grown : maxDelayMs);
}

/**
 * Full jitter: uniform between 0 and the ceiling. Spreads a crowd that failed together better than jitter around the
 * ceiling does, at half of the mean wait. Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function fullJitter(backoff: Backoff, attempt: number, random: number): number {
  return ceiling(backoff, attempt) * random;
}
