// The same 2,000 streams without sockets and in virtual time, every byte on its own.
import { bulkhead } from "@breakwater/core";
import { startSimulator } from "@breakwater/simulator";
import { createTestClock, seeded } from "@breakwater/testing";
import { expect, it } from "vitest";

import { createDeepSeek, recommended } from "../../src/index.ts";
import { byteByByte } from "./byte-by-byte.ts";
import { trouble } from "./faults.ts";
import { held } from "./ledger.ts";
import { drawPlan, type Fate, read, tally } from "./readers.ts";

const STREAMS = 2_000;
const AT_ONCE = 50;
const SEED = 12;
/** Of virtual time: how far our clock and the simulator's are apart at most. */
const STEP_MS = 50;

it(
  "2,000 streams in single bytes: verified or a typed error, and everything given back",
  { timeout: 180_000 },
  async () => {
    const simulator = await startSimulator({
      seed: SEED,
      clock: "manual",
      capacity: { slots: 200, queue: 400 },
      faults: trouble,
      attemptLogSize: 100,
    });
    const clock = createTestClock({ seed: SEED });
    const deepseek = createDeepSeek({
      apiKey: simulator.key,
      runtime: clock,
      fetch: byteByByte(simulator.fetch),
      policies: recommended({ circuitBreaker: false, bulkhead: bulkhead({ concurrency: 500 }) }),
    });
    const random = seeded(SEED);
    const pause = (): Promise<void> =>
      new Promise((resolve) => void clock.setTimer(random() * 2_000, resolve));
    const signal = new AbortController().signal;
    const fates: Fate[] = [];
    let next = 0;
    const reader = async (): Promise<void> => {
      while (next < STREAMS) {
        const plan = drawPlan(next++, { seed: SEED, random, tokens: 6 });
        fates.push(await read(plan, deepseek, simulator, signal, pause));
      }
    };
    const readers = Array.from({ length: AT_ONCE }, reader);
    let done = false;
    void Promise.all(readers).then(() => (done = true));
    const step = async (): Promise<void> => {
      await simulator.advance(STEP_MS);
      await clock.advance(STEP_MS);
    };
    while (!done) await step();
    await step(); // bodies that were left are cancelled in their own time

    console.log("soak in bytes:", JSON.stringify(tally(fates)));
    expect(fates.filter(({ kind }) => kind === "broken")).toEqual([]);
    expect(fates).toHaveLength(STREAMS);
    expect(tally(fates)["complete"]).toBeGreaterThan(0.5 * STREAMS);
    expect(held(deepseek)).toBe(0);
    expect(clock.pending).toBe(0);
    await deepseek.close();
    await simulator.close();
  },
);
