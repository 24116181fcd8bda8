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
  /**
   * Simulated milliseconds since the start. Inside an alarm this is the moment the alarm was set for, however late it
   * rings: what follows from it is computed as if it had been in time, so a busy computer does not make the simulated
   * machine slower.
   */
  now(): number;
  /** The moment up to which alarms ring now, in order; outside of alarms the same as `now()`. */
  horizon(): number;
  /**
   * Calls `run` once, `ms` simulated milliseconds from now. What an alarm sets may ring right after it, before others
   * that are due later.
   */
  after(ms: number, run: () => void): Alarm;
  /** Real milliseconds per simulated millisecond, from now on. What has elapsed stays as it is. */
  setScale(scale: number): void;
  /** 0 for a clock that does not follow real time. */
  readonly scale: number;
  /** Alarms that wait. 0 after `stop()`. */
  readonly pending: number;
  /** Forgets every alarm and lets go of the real timer. */
  stop(): void;
}

/** A clock that stands still until it is told to go on. */
export interface ManualClock extends Clock {
  /**
   * Lets simulated time pass. Alarms ring in steps of `stepMs`; after each step in which one rang, the program gets a
   * turn to read and to ask anew.
   */
  advance(ms: number): Promise<void>;
}

interface Entry extends HeapItem {
  readonly run: () => void;
}

/** What both clocks share: alarms that ring in the order of their times, each at its own time. */
function createAlarms(elapsed: () => number) {
  const heap = createHeap<Entry>();
  let seq = 0;
  let ringing: { at: number; until: number } | undefined;
  const now = (): number => ringing?.at ?? elapsed();

  return {
    now,
    horizon: (): number => ringing?.until ?? elapsed(),
    nextDue: (): number | undefined => heap.peek()?.due,
    isRinging: (): boolean => ringing !== undefined,
    pending: (): number => heap.size,
    clear: (): void => heap.clear(),
    set(ms: number, run: () => void): Alarm {
      const entry: Entry = { due: now() + Math.max(0, ms), seq: ++seq, index: -1, run };
      heap.push(entry);
      return { cancel: () => heap.remove(entry) };
    },
    /** Rings what is due, also what is set meanwhile for before `until`. */
    ring(until: number): void {
      try {
        for (let next = heap.peek(); next !== undefined && next.due <= until; next = heap.peek()) {
          heap.remove(next);
          ringing = { at: next.due, until };
          next.run();
        }
      } finally {
        ringing = undefined;
      }
    },
  };
}

const longestRealTimer = 2_000_000_000;

/**
 * A clock that follows real time. All alarms share one timer, and two runs of alarms are at least
 * `tickMs` *real* milliseconds apart: with thousands of streams each gets one write a tick, however
 * many tokens became due in it.
 */
export function createRealClock(options: { scale: number; tickMs: number }): Clock {
  let scale = options.scale;
  let originReal = performance.now();
  let originSimulated = 0;
  let timer: NodeJS.Timeout | undefined;
  let armedFor = Infinity;
  let lastRun = -Infinity;

  const elapsed = (): number => originSimulated + (performance.now() - originReal) / scale;
  const alarms = createAlarms(elapsed);

  function disarm(): void {
    if (timer !== undefined) clearTimeout(timer);
    timer = undefined;
    armedFor = Infinity;
  }

  function arm(): void {
    const next = alarms.nextDue();
    if (alarms.isRinging() || next === undefined) return;
    const due = Math.max(originReal + (next - originSimulated) * scale, lastRun + options.tickMs);
    if (timer !== undefined && armedFor <= due) return;
    disarm();
    armedFor = due;
    // Rounded up: a timer that fires a fraction early would find nothing due and cost a whole tick.
    timer = setTimeout(run, Math.min(Math.max(0, Math.ceil(due - performance.now())), longestRealTimer));
  }

  function run(): void {
    timer = undefined;
    armedFor = Infinity;
    lastRun = performance.now();
    try {
      alarms.ring(elapsed());
    } finally {
      arm();
    }
  }

  return {
    now: alarms.now,
    horizon: alarms.horizon,
    get scale() {
      return scale;
    },
    get pending() {
      return alarms.pending();
    },
    after(ms, action) {
      const alarm = alarms.set(ms, action);
      arm();
      return alarm;
    },
    setScale(next) {
      originSimulated = elapsed();
      originReal = performance.now();
      scale = next;
      disarm();
      arm();
    },
    stop() {
      alarms.clear();
      disarm();
    },
  };
}

/** A clock for tests: nothing happens by itself, and the same steps give the same evening on any computer. */
export function createManualClock(options: { stepMs: number }): ManualClock {
  let elapsed = 0;
  let stopped = false;
  const alarms = createAlarms(() => elapsed);
  // Two turns: what was written is read in the first, and what the reader then asks arrives in the second.
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

  return {
    now: alarms.now,
    horizon: alarms.horizon,
    scale: 0,
    get pending() {
      return alarms.pending();
    },
    after: alarms.set,
    setScale: () => {},
    async advance(ms) {
      const end = elapsed + ms;
      // What was asked just before is on its way.
      await turn();
      while (!stopped) {
        const next = alarms.nextDue();
        if (next === undefined || next > end) break;
        elapsed = Math.min(end, Math.max(elapsed, next) + options.stepMs);
        alarms.ring(elapsed);
        await turn();
      }
      elapsed = end;
    },
    stop() {
      stopped = true;
      alarms.clear();
    },
  };
}
