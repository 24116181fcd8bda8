import { type Runtime, systemRuntime } from "@breakwater/core";

/** A runtime in which a second takes `scale` seconds, like the simulator's `timeScale`. */
export function hastened(scale: number): Runtime {
  const { now, wallNow, random, setTimer } = systemRuntime();
  return {
    now: () => now() / scale,
    wallNow,
    random,
    setTimer: (ms, f) => setTimer(ms * scale, f),
  };
}
