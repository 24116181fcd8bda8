import { GCProfiler } from "node:v8";

import { breathe, makeCalls, warmUp } from "./calls.ts";
import { median } from "./statistics.ts";
import type { Subject } from "./subject.ts";

/** What the process that counts bytes is started with: room enough that nothing is collected in between. */
export const BYTES_FLAGS: readonly string[] = [
  "--expose-gc",
  "--min-semi-space-size=128",
  "--max-semi-space-size=128",
];

const CALLS = 1_000;
const SAMPLES = 5;

/**
 * Bytes that one call allocates on the heap, the promises of whoever awaits it included. By how much the heap grows
 * over many calls while nothing is collected; after warm-up, because optimised code allocates less.
 */
export async function bytesPerCall(subject: Subject): Promise<number> {
  await warmUp(subject);
  const samples: number[] = [];
  for (let tries = 0; samples.length < SAMPLES && tries < 5 * SAMPLES; tries++) {
    const grown = await growth(subject);
    if (grown !== undefined) samples.push(grown / CALLS);
  }
  if (samples.length === 0) throw new Error("Every sample was disturbed by a collection: use fewer calls.");
  return Math.round(median(samples));
}

/** Undefined when a collection came in between. */
async function growth(subject: Subject): Promise<number | undefined> {
  await breathe();
  globalThis.gc?.();
  const profiler = new GCProfiler();
  profiler.start();
  const before = process.memoryUsage().heapUsed;
  await makeCalls(subject, CALLS);
  const after = process.memoryUsage().heapUsed;
  const collections = profiler.stop()?.statistics.length ?? 0;
  return collections === 0 ? after - before : undefined;
}
