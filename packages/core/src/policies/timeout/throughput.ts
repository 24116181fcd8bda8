/** What a stream must bring at least, on average over a window: pure arithmetic, told the time. */
export interface Throughput {
  /** A token arrived. */
  token(at: number): void;
  pause(at: number): void;
  resume(at: number): void;
  /** The moment at which the window will have brought too little, if nothing more comes; Infinity while paused. */
  runsOutAt(): number;
}

/**
 * A window is too slow when fewer than `tokens` of them fall into it. So it is enough to know when the last `tokens`
 * arrived: the window that begins with the oldest of these is the first that can fall short. An idle clock is the
 * same with one token. Time for which the reader was slow does not count.
 *
 * @param tokens in a window at least
 */
export function createThroughput(tokens: number, windowMs: number, since: number): Throughput {
  // When the last `tokens` came, on a clock that stands still in pauses; the start stands for those that did not yet.
  const arrivals = new Float64Array(tokens).fill(since);
  let oldest = 0;
  let pausedMs = 0;
  let pausedAt: number | undefined;

  return {
    token(at) {
      // Read ahead while the reader is slow: it came when the clock stood still.
      arrivals[oldest] = (pausedAt ?? at) - pausedMs;
      oldest = (oldest + 1) % tokens;
    },
    pause(at) {
      pausedAt ??= at;
    },
    resume(at) {
      if (pausedAt === undefined) return;
      pausedMs += at - pausedAt;
      pausedAt = undefined;
    },
    runsOutAt: () => (pausedAt === undefined ? (arrivals[oldest] as number) + pausedMs + windowMs : Infinity),
  };
}
