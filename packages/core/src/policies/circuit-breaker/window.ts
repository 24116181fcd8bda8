/** What a window holds at a moment. */
export interface Totals {
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
}

export interface Window {
  add(failed: boolean, slow: boolean, now: number): Sample;
  /** What went well at first has failed after all: the sample becomes a failure, or a new one if it is out of the window. */
  spoil(sample: Sample, now: number): void;
  totals(now: number): Totals;
  clear(): void;
}

/** Where a call stands in the window. */
export interface Sample {
  /** Whose slots: the window may have been cleared since, or one of another size have taken its place. */
  readonly of: object;
  readonly slot: number;
  /** What tells whether the slot still is that call's. */
  readonly turn: number;
}

export type WindowOptions = { readonly calls: number } | { readonly ms: number };

export function createWindow(options: WindowOptions): Window {
  return "calls" in options ? createCountWindow(options.calls) : createTimeWindow(options.ms);
}

const FAILED = 1;
const SLOW = 2;

/** The last `size` calls. */
function createCountWindow(size: number): Window {
  let ring = new Uint8Array(size);
  let calls = 0;
  let failures = 0;
  let slow = 0;
  let added = 0;
  let era = {};
  function add(isFailed: boolean, isSlow: boolean): Sample {
    const at = added % size;
    const old = ring[at] as number;
    if (calls === size) {
      failures -= old & FAILED;
      slow -= (old & SLOW) >> 1;
    } else calls++;
    ring[at] = (isFailed ? FAILED : 0) | (isSlow ? SLOW : 0);
    failures += isFailed ? 1 : 0;
    slow += isSlow ? 1 : 0;
    return { of: era, slot: at, turn: added++ };
  }
  return {
    add,
    spoil({ of, slot, turn }) {
      if (of !== era || turn < added - size) add(true, false);
      else if (((ring[slot] as number) & FAILED) === 0) {
        ring[slot] = (ring[slot] as number) | FAILED;
        failures++;
      }
    },
    totals: () => ({ calls, failures, slow }),
    clear() {
      ring = new Uint8Array(size);
      calls = failures = slow = 0;
      era = {};
    },
  };
}

const BUCKETS = 10;

/**
 * The calls of the last `ms`, in ten buckets: what is told is up to a tenth less than the whole span, never older.
 * A bucket knows which span it stands for, so that after an idle hour nothing of before it counts.
 */
function createTimeWindow(ms: number): Window {
  const width = ms / BUCKETS;
  let era = {};
  const buckets = Array.from({ length: BUCKETS }, () => ({
    span: -Infinity,
    calls: 0,
    failures: 0,
    slow: 0,
  }));
  function add(isFailed: boolean, isSlow: boolean, now: number): Sample {
    const span = Math.floor(now / width);
    const slot = span % BUCKETS;
    const bucket = buckets[slot] as (typeof buckets)[number];
    if (bucket.span !== span) Object.assign(bucket, { span, calls: 0, failures: 0, slow: 0 });
    bucket.calls++;
    if (isFailed) bucket.failures++;
    if (isSlow) bucket.slow++;
    return { of: era, slot, turn: span };
  }
  return {
    add,
    spoil({ of, slot, turn }, now) {
      const bucket = buckets[slot] as (typeof buckets)[number];
      if (of === era && bucket.span === turn && turn > Math.floor(now / width) - BUCKETS) bucket.failures++;
      else add(true, false, now);
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
      era = {};
    },
  };
}
