/** What a window holds at a moment. */
export interface Totals {
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
}

export interface Window {
  add(failed: boolean, slow: boolean, now: number): void;
  totals(now: number): Totals;
  clear(): void;
}

export type WindowOptions = { readonly calls: number } | { readonly ms: number };

export function createWindow(options: WindowOptions): Window {
  return "calls" in options ? createCountWindow(options.calls) : createTimeWindow(options.ms);
}

const FAILED = 1;
const SLOW = 2;

/** The last `size` calls. */
export function createCountWindow(size: number): Window {
  let ring = new Uint8Array(size);
  let calls = 0;
  let failures = 0;
  let slow = 0;
  let at = 0;
  return {
    add(isFailed, isSlow) {
      const old = ring[at] as number;
      if (calls === size) {
        failures -= old & FAILED;
        slow -= (old & SLOW) >> 1;
      } else calls++;
      ring[at] = (isFailed ? FAILED : 0) | (isSlow ? SLOW : 0);
      failures += isFailed ? 1 : 0;
      slow += isSlow ? 1 : 0;
      at = (at + 1) % size;
    },
    totals: () => ({ calls, failures, slow }),
    clear() {
      ring = new Uint8Array(size);
      calls = failures = slow = at = 0;
    },
  };
}

const BUCKETS = 10;

/**
 * The calls of the last `ms`, in ten buckets: what is told is up to a tenth less than the whole span, never older.
 * A bucket knows which span it stands for, so that after an idle hour nothing of before it counts.
 */
export function createTimeWindow(ms: number): Window {
  const width = ms / BUCKETS;
  const buckets = Array.from({ length: BUCKETS }, () => ({
    span: -Infinity,
    calls: 0,
    failures: 0,
    slow: 0,
  }));
  return {
    add(isFailed, isSlow, now) {
      const span = Math.floor(now / width);
      const bucket = buckets[span % BUCKETS] as (typeof buckets)[number];
      if (bucket.span !== span) Object.assign(bucket, { span, calls: 0, failures: 0, slow: 0 });
      bucket.calls++;
      if (isFailed) bucket.failures++;
      if (isSlow) bucket.slow++;
    },
    totals(now) {
      const oldest = Math.floor(now / width) - BUCKETS + 1;
      let calls = 0;
      let failures = 0;
      let slow = 0;
      for (const bucket of buckets) {
        if (bucket.span < oldest) continue;
        calls += bucket.calls;
        failures += bucket.failures;
        slow += bucket.slow;
      }
      return { calls, failures, slow };
    },
    clear() {
      for (const bucket of buckets) bucket.span = -Infinity;
    },
  };
}
