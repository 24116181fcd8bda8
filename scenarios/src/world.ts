import type { Simulator } from "@breakwater/simulator";
import { createTestClock, type TestClock } from "@breakwater/testing";

/** Virtual time for a client and for the hosts that it calls. */
export interface World {
  /** The client's clock. */
  readonly clock: TestClock;
  now(): number;
  advance(ms: number): Promise<void>;
  /** Lets time pass until the promise settles, or `withinMs` are over. @returns whether it settled */
  until(promise: Promise<unknown>, withinMs: number): Promise<boolean>;
}

/** How far the clocks of the two sides may be apart: what one of them does is seen by the other after this at most. */
export const STEP_MS = 10;

/** Two kinds of clocks that go in turns, in small steps. */
export function createWorld(simulators: readonly Simulator[], seed: number): World {
  // The same day and hour on both sides, or they would go by different prices.
  const utc = simulators[0]?.state().utc;
  const clock = createTestClock({ seed, ...(utc !== undefined && { wallStart: Date.parse(utc) }) });

  async function step(ms: number): Promise<void> {
    for (const simulator of simulators) await simulator.advance(ms);
    await clock.advance(ms);
  }

  return {
    clock,
    now: () => clock.now(),
    async advance(ms) {
      const until = clock.now() + ms;
      while (clock.now() < until) await step(Math.min(STEP_MS, until - clock.now()));
    },
    async until(promise, withinMs) {
      let settled = false;
      const done = (): void => void (settled = true);
      promise.then(done, done);
      const last = clock.now() + withinMs;
      while (!settled && clock.now() < last) await step(STEP_MS);
      return settled;
    },
  };
}
