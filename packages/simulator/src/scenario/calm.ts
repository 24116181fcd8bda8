import type { Scenario } from "./scenario.ts";

/** Nothing goes wrong: the baseline against which overhead and retries are measured. */
export const calm: Scenario = {
  name: "calm",
  note: "Healthy: enough slots that nobody waits. A client shows 100 % success here and makes no retry.",
  capacity: { slots: 1024, queue: 1024 },
  phases: [],
};
