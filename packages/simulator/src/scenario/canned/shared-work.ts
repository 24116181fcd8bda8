import type { Scenario } from "../scenario.ts";

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
