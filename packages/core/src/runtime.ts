import { createTimerWheel } from "./internal/timer-wheel.ts";

/** Cancels a timer; harmless when it fired already. */
export type CancelTimer = () => void;

/** Time and chance. Everything in Breakwater takes them from here, so that tests can hold them in the hand. */
export interface Runtime {
  /** Monotonic milliseconds: never goes back, not even when the machine's clock is set. */
  now(): number;
  /** Milliseconds since 1970, only to read dates that others wrote. */
  wallNow(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /**
   * Runs `f` once, `ms` from now: never early, possibly a little late (see `createTimerWheel`).
   *
   * @param background whether the process may end before it runs: what says every other second that it is there must not
   * be what keeps it there. @default false
   */
  setTimer(ms: number, f: () => void, background?: boolean): CancelTimer;
}

interface AsyncResource {
  runInAsyncScope<T>(f: () => T): T;
}

/**
 * The real clock and real chance. One for the process, made when it is first asked for: nothing happens at import.
 *
 * All timers share one `setTimeout`, armed outside of any request's async context: else the request that happened to
 * arm it would keep its `AsyncLocalStorage` alive, and every later timer would run inside it.
 */
export function systemRuntime(): Runtime {
  return (shared ??= createSystemRuntime());
}

let shared: Runtime | undefined;

function createSystemRuntime(): Runtime {
  const outside = outsideOfRequests();
  const now = (): number => performance.now();
  const wheel = createTimerWheel({
    now,
    arm: (ms, f) => outside(() => setTimeout(f, ms)),
    disarm: clearTimeout,
    keepAlive(handle, alive) {
      // Browsers and edge runtimes return a number, which has no ref().
      if (typeof handle !== "object") return;
      if (alive) handle.ref();
      else handle.unref();
    },
  });
  return {
    now,
    wallNow: () => Date.now(),
    random: () => Math.random(),
    setTimer: wheel.set,
  };
}

function outsideOfRequests(): <T>(f: () => T) => T {
  const hooks = globalThis.process?.getBuiltinModule?.("node:async_hooks") as
    | { AsyncResource: new (name: string) => AsyncResource }
    | undefined;
  if (hooks === undefined) return (f) => f();
  const resource = new hooks.AsyncResource("breakwater-timers");
  return (f) => resource.runInAsyncScope(f);
}
