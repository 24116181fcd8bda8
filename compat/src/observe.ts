import { setTimeout as pause } from "node:timers/promises";

import type { FaultAction } from "@breakwater/simulator";

import { hastened } from "./hastened.ts";
import { type RigOptions, startRig } from "./rig.ts";
import type { Sdk } from "./sdks/sdk.ts";

export interface ObserveOptions {
  /** What the simulator does to every attempt. */
  readonly fault: FaultAction;
  readonly stream: boolean;
  /** Ask past Breakwater, with nothing but the SDK. @default false */
  readonly direct?: boolean;
  /** The SDK's own retries. @default 0 */
  readonly maxRetries?: number;
  /** The SDK's own time limit in real ms, where it has one. */
  readonly timeoutMs?: number;
  /** Breakwater's, beside those that the rig has. */
  readonly policies?: RigOptions["policies"];
  /** Simulated ms after which a request that is still open is said to hang. @default 15 minutes */
  readonly patienceMs?: number;
}

/** What the caller of an SDK saw of one call. */
export interface Observation {
  /** `hangs`: still open after all patience. */
  readonly ended: "answered" | "threw" | "hangs";
  /** Of an answer: whether it is the right text, its beginning only, nothing, or not what was sent. */
  readonly text?: "complete" | "prefix" | "nothing" | "wrong";
  readonly finish?: string | undefined;
  /** Name of what was thrown, and our code where the SDK leaves it. */
  readonly error?: string;
  readonly code?: string | undefined;
  /** How often the simulator was asked. */
  readonly attempts: number;
  /** Calls that Breakwater still held when everything was over. */
  readonly leaked: number;
}

/**
 * Asks once, of a simulator of its own, and describes what the caller saw. Whether a call hangs is decided by simulated
 * time, so that a slow machine finds the same.
 */
export async function observe(sdk: Sdk, options: ObserveOptions): Promise<Observation> {
  const { fault, stream, direct = false, maxRetries = 0, timeoutMs, patienceMs = 15 * 60_000 } = options;
  // Breakwater's clocks run as fast as the simulator, and not so fast that a machine's hiccup is a minute.
  const timeScale = direct ? 0.001 : 0.02;
  const rig = await startRig({
    timeScale,
    runtime: hastened(timeScale),
    ...(options.policies !== undefined && { policies: options.policies }),
    faults: [{ action: fault }],
    through: sdk.through,
  });
  const { simulator } = rig;
  const leave = new AbortController();
  try {
    const connection = rig.connect({ direct, maxRetries, timeoutMs });
    const question = { prompt: "Why is the sea salty?" };
    // While the SDK waits before it asks again, nothing is open, and nobody hangs.
    let openSince = simulator.state().nowMs;
    const waited = (): number => {
      const { nowMs, open } = simulator.state();
      if (open === 0) openSince = nowMs;
      return nowMs - openSince;
    };
    let seen: Omit<Observation, "attempts" | "leaked"> | undefined;
    const asked = sdk[stream ? "stream" : "ask"](connection, question, { signal: leave.signal }).then(
      ({ content, finish }) => {
        const verdict = simulator.verifyText(rig.asked[0] as never, content);
        seen = { ended: "answered", text: content === "" ? "nothing" : verdict, finish };
      },
      (error: unknown) => {
        const name = error instanceof Error ? error.constructor.name : typeof error;
        seen = { ended: "threw", error: name, code: sdk.codeOf(error) };
      },
    );
    while (seen === undefined && waited() < patienceMs) await Promise.race([asked, pause(5)]);
    const found = seen ?? { ended: "hangs" };
    leave.abort();
    await asked;
    // A connection that was given up is known to the simulator a moment later.
    while (simulator.state().open > 0 && waited() < 2 * patienceMs) await pause(5);
    return { ...found, attempts: rig.attempts(), leaked: rig.inFlight() };
  } finally {
    leave.abort();
    await rig.close();
  }
}
