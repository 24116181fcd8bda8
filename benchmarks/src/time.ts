import { Bench, hrtimeNow } from "tinybench";

import { breathe, makeCalls, warmUp } from "./calls.ts";
import type { Subject } from "./subject.ts";

/** Too short to be timed alone, and long enough for a collection in most batches, so that the median has its price in it. */
const BATCH = 250;

/** Nanoseconds of one awaited call: the median over batches of a warmed-up process. */
export async function nanosecondsPerCall(subject: Subject, ms: number): Promise<number> {
  await warmUp(subject);
  const bench = new Bench({ time: ms, iterations: 5, warmup: false, now: hrtimeNow });
  bench.add("calls", () => makeCalls(subject, BATCH), { async: true, beforeEach: breathe });
  const [task] = await bench.run();
  const result = task?.result;
  if (result === undefined || !("latency" in result)) throw new Error(`Not measured: ${task?.result.state}.`);
  return (result.latency.p50 * 1e6) / BATCH;
}
