import { type Runtime, systemRuntime } from "@breakwater/core";

/** The real clock, and how many of its timers are armed. */
export interface CountingRuntime extends Runtime {
  readonly pending: number;
}

export function countingRuntime(): CountingRuntime {
  const real = systemRuntime();
  let pending = 0;
  return {
    now: () => real.now(),
    wallNow: () => real.wallNow(),
    random: () => real.random(),
    get pending() {
      return pending;
    },
    setTimer(ms, f) {
      pending++;
      let armed = true;
      const done = (): void => {
        if (armed) pending--;
        armed = false;
      };
      const cancel = real.setTimer(ms, () => {
        done();
        f();
      });
      return () => {
        done();
        cancel();
      };
    },
  };
}
