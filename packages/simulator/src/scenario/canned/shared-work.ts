import type { Scenario } from "../scenario.ts";
import { ample } from "./calm.ts";

/** Many ask the same: what single-flight and a cache are for. */
export const dupPrompts: Scenario = {
  name: "dup-prompts",
  summary: "200 calls a second for 200 different prompts, the popular ones far more often.",
  note:
    "Questions of users follow Zipf's law: with an exponent of 1.1 the first of 200 prompts is a fifth of all calls. " +
    "Nothing fails. Who asks once per prompt and shares the answer needs 200 calls in all; who asks every time needs " +
    "room for 480 answers at once.",
  durationMs: 30_000,
  load: { perSecond: 200, streamed: 0.7, prompts: { distinct: 200, zipf: 1.1 } },
  seeds: [1, 2, 3],
  capacity: { slots: 2048, queue: 2048 },
  concurrency: 2500,
  phases: [],
};

/** The beginning of a conversation is cheap where it was read before. */
export const coldCacheAffinity: Scenario = {
  name: "cold-cache-affinity",
  summary: "Conversations of eight turns over three machines, each of which remembers what it has read.",
  note:
    "A turn repeats everything said before, and tokens that the machine has read already cost a fiftieth. Whoever sends " +
    "each turn to any of the three (/r/a, /r/b, /r/c) finds a third of it; whoever comes back to the same one nearly all. " +
    "Blocks of 64 tokens count, two seconds after they were read.",
  durationMs: 120_000,
  load: { perSecond: 5, streamed: 0.7, tokens: "reasoning=0,content=200", turns: 8 },
  seeds: [1, 2, 3],
  capacity: ample,
  replicas: [{ name: "a" }, { name: "b" }, { name: "c" }],
  phases: [],
};

/** The price doubles in the middle. */
export const peakPrice: Scenario = {
  name: "peak-price",
  summary: "Two minutes before the peak hours of a Monday, and two minutes of them.",
  note:
    "From 01:00 UTC the peak price holds, twice the other, and DeepSeek decides by the moment at which an answer is " +
    "complete: what began before and ended after costs the higher one. A bill that goes by the time of the request is wrong.",
  durationMs: 240_000,
  load: { perSecond: 5, streamed: 0.7, models: { "deepseek-flash": 0.5, "deepseek-v4-pro": 0.5 } },
  seeds: [1, 2, 3],
  now: "2026-11-23T00:58:00Z",
  capacity: ample,
  phases: [],
};
