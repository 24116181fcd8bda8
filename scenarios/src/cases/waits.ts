import type { Case } from "../case.ts";
import {
  atLeast,
  atMost,
  attemptsPerCall,
  completeShare,
  honest,
  largest,
  seconds,
  toFirstToken,
} from "../figures.ts";

/** The host lets its callers wait. */
export const waits: readonly Case[] = [
  {
    scenario: "queue-wall",
    client: ({ second }) => ({
      fallback: { apiKey: second.key, baseURL: "https://second.example", fetch: second.fetch },
      // So that callers of JSON have the first-token clock as well.
      upstreamMode: "stream",
    }),
    figures: (played) => [
      ...honest(played),
      atLeast("complete and correct, %", 100, completeShare(played)),
      atMost("longest wait for the first token, s", 70, seconds(largest(toFirstToken(played.calls)))),
      atMost("requests a call to the host that lets them wait", 1, attemptsPerCall(played)),
    ],
  },
  {
    scenario: "queue-90s",
    figures: (played) => [
      ...honest(played),
      atLeast("complete and correct, %", 100, completeShare(played)),
      atMost("requests a call", 1, attemptsPerCall(played)),
    ],
  },
];
