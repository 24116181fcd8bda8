import type { Scenario } from "../scenario.ts";

/** More room than anybody asks for, so that only what a scenario names goes wrong. */
export const ample = { slots: 1024, queue: 1024 } as const;

/** Nothing goes wrong: the baseline against which overhead and retries are measured. */
export const calm: Scenario = {
  name: "calm",
  summary: "Nothing goes wrong: the baseline of every comparison.",
  note: "Healthy: enough slots that nobody waits. A client shows 100 % success here and makes no retry.",
  durationMs: 60_000,
  load: { perSecond: 8, streamed: 0.7 },
  seeds: [1, 2, 3],
  capacity: ample,
  phases: [],
};
