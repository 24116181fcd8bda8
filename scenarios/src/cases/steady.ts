import type { Case } from "../case.ts";
import {
  atLeast,
  atMost,
  attemptsPerCall,
  completeShare,
  honest,
  quantile,
  seconds,
  share,
} from "../figures.ts";

/** Nothing is wrong, or nothing but the load. */
export const steady: readonly Case[] = [
  {
    scenario: "calm",
    figures: (played) => [
      ...honest(played),
      atLeast("complete and correct, %", 100, completeShare(played)),
      atMost("requests a call", 1, attemptsPerCall(played)),
    ],
  },
  {
    scenario: "busy-evening",
    figures: (played) => [
      ...honest(played),
      atMost("429 among the requests, %", 1, share(played.attempts, 429)),
      atMost(
        "wait in our own queue, 99 of 100, s",
        30,
        seconds(
          quantile(
            played.calls.map(({ meta }) => meta.waitedMs ?? 0),
            0.99,
          ),
        ),
      ),
    ],
  },
  {
    scenario: "keepalive-parser",
    simulator: { text: { unicode: true } },
    figures: (played) => [
      ...honest(played),
      atLeast("complete and correct, %", 100, completeShare(played)),
      atMost("requests a call", 1, attemptsPerCall(played)),
    ],
  },
];
