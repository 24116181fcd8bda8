import { createHeap, type HeapItem } from "./heap.ts";

/** Something that will happen. Cancelling it twice, or after it happened, does nothing. */
export interface Alarm {
  cancel(): void;
}

/**
 * The only source of time in this package. Everything above it counts in simulated milliseconds;
 * real time appears in this file and nowhere else.
 */
export interface Clock {
  /** Simulated milliseconds since the start. Inside an alarm: never before the moment it was set for. */
  now(): number;
  /** Calls `run` once, `ms` simulated milliseconds from now, never synchronously. */
  after(ms: number, run: () => void): Alarm;
  /** Real milliseconds per simulated millisecond, from now on. What has elapsed stays as it is. */
  setScale(scale: number): void;
  readonly scale: number;
  /** Alarms that wait. 0 after `stop()`. */
  readonly pending: number;
  /** Forgets every alarm and lets go of the real timer. */
  stop(): void;
}

interface Entry extends HeapItem {
  readonly run: () => void;
}

const longestRealTimer = 2_000_000_000;

/**
 * A clock that follows real time. All alarms share one timer, and two runs of alarms are at least
 * `tickMs` *real* milliseconds apart: with thousands of streams each gets one write a tick, however
 * many tokens became due in it.
 */
export function createRealClock(options: { scale: number; tickMs: number }): Clock {
  const heap = createHeap<Entry>();
  let scale = options.scale;
  let originReal = performance.now();
  let originSimulated = 0;
  let seq = 0;
  let timer: NodeJS.Timeout | undefined;
  let armedFor = Infinity;
  let lastRun = -Infinity;
  let running = false;

  const now = (): number => originSimulated + (performance.now() - originReal) / scale;

  function arm(): void {
    const next = heap.peek();
    if (running || next === undefined) return;
    const due = Math.max(originReal + (next.due - originSimulated) * scale, lastRun + options.tickMs);
    if (timer !== undefined && armedFor <= due) return;
    if (timer !== undefined) clearTimeout(timer);
    armedFor = due;
    // Rounded up: a timer that fires a fraction early would find nothing due and cost a whole tick.
    timer = setTimeout(run, Math.min(Math.max(0, Math.ceil(due - performance.now())), longestRealTimer));
  }

  function run(): void {
    timer = undefined;
    armedFor = Infinity;
    running = true;
    lastRun = performance.now();
    // One reading for the whole run: an alarm set inside it waits for the next tick.
    const moment = now();
    const lastSeq = seq;
    try {
      for (let next = heap.peek(); next !== undefined && next.due <= moment; next = heap.peek()) {
        if (next.seq > lastSeq) break;
        heap.remove(next);
        next.run();
      }
    } finally {
      running = false;
      arm();
    }
  }

  return {
    now,
    get scale() {
      return scale;
    },
    get pending() {
      return heap.size;
    },
    after(ms, action) {
      const entry: Entry = { due: now() + Math.max(0, ms), seq: ++seq, index: -1, run: action };
      heap.push(entry);
      arm();
      return { cancel: () => heap.remove(entry) };
    },
    setScale(next) {
      originSimulated = now();
      originReal = performance.now();
      scale = next;
      if (timer !== undefined) clearTimeout(timer);
      timer = undefined;
      armedFor = Infinity;
      arm();
    },
    stop() {
      heap.clear();
      if (timer !== undefined) clearTimeout(timer);
      timer = undefined;
      armedFor = Infinity;
    },
  };
}
