import type { CancelTimer, Runtime } from "@breakwater/core";

import { seeded } from "./seeded.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly f: () => void;
}

export interface TestClockOptions {
  /** @default 1 */
  readonly seed?: number;
  /** What the wall clock shows at the start, in ms since 1970. @default 2026-01-01 */
  readonly wallStart?: number;
}

/** A runtime whose time passes only when a test says so. Timers fire exactly on time, in order. */
export interface TestClock extends Runtime {
  /** Lets everything that is due without time passing happen. */
  settle(): Promise<void>;
  /** Lets `ms` pass: settles, fires each timer in its turn, settles after each. */
  advance(ms: number): Promise<void>;
  /** Lets time pass until the promise settles, and gives its result. Fails if nothing is left that could settle it. */
  until<T>(promise: T | Promise<T>): Promise<T>;
  /** Timers that are armed; 0 when nothing was left behind. */
  readonly pending: number;
  /** Replaces chance: a function, or one number for ever. */
  setRandom(random: number | (() => number)): void;
}

/**
 * A clock for tests. Give it to a client as `runtime`.
 *
 * @example
 * ```ts
 * import { createClient, retry, upstream } from "@breakwater/core";
 * import { createTestClock } from "@breakwater/testing";
 *
 * const clock = createTestClock();
 * let calls = 0;
 * const flaky = upstream(async () => {
 *   if (++calls < 3) throw new Error("busy");
 *   return "there";
 * });
 * const ask = createClient({ upstream: flaky, runtime: clock }, retry({ attempts: 3 }));
 * await clock.until(ask("anybody?")); // => "there"
 * ```
 */
export function createTestClock(options: TestClockOptions = {}): TestClock {
  const { wallStart = Date.UTC(2026, 0, 1) } = options;
  const timers = new Set<Timer>();
  let random = seeded(options.seed ?? 1);
  let now = 0;
  let order = 0;

  function next(until: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of timers) {
      if (timer.at > until) continue;
      if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order))
        first = timer;
    }
    return first;
  }

  function fire(timer: Timer): void {
    timers.delete(timer);
    now = Math.max(now, timer.at);
    timer.f();
  }

  const clock: TestClock = {
    now: () => now,
    wallNow: () => wallStart + now,
    random: () => random(),
    setTimer(ms, f): CancelTimer {
      const timer = { at: now + Math.max(0, ms), order: order++, f };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    settle: macrotask,
    async advance(ms) {
      const until = now + ms;
      await macrotask();
      for (let timer = next(until); timer !== undefined; timer = next(until)) {
        fire(timer);
        await macrotask();
      }
      now = until;
    },
    async until(promise) {
      let settled = false;
      const done = (): void => void (settled = true);
      Promise.resolve(promise).then(done, done);
      await macrotask();
      while (!settled) {
        const timer = next(Infinity);
        if (timer === undefined) {
          throw new Error(
            "nothing is left that could settle this promise: no timer is armed and no work is due",
          );
        }
        fire(timer);
        await macrotask();
      }
      return promise;
    },
    get pending() {
      return timers.size;
    },
    setRandom(value) {
      random = typeof value === "number" ? () => value : value;
    },
  };
  return clock;
}

/** All microtasks, however long their chain, run before the next macrotask. */
function macrotask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
