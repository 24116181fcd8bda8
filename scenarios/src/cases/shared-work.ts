import { recommended } from "@breakwater/deepseek";

import { type Case, waiting } from "../case.ts";
import { atLeast, atMost, completeShare, honest } from "../figures.ts";

/** Many ask the same, and somebody has to pay. */
export const sharedWork: readonly Case[] = [
  {
    scenario: "dup-prompts",
    client: () => ({ policies: recommended({ cache: { ttl: "1h", shared: true } }) }),
    figures: (played) => {
      const distinct = new Set(played.calls.map(({ arrival }) => JSON.stringify(arrival.request.messages)));
      return [
        ...honest(played),
        atLeast("complete and correct, %", 100, completeShare(played)),
        atMost(
          `requests to the host, for ${distinct.size} different prompts`,
          distinct.size,
          played.attempts.length,
        ),
      ];
    },
  },
  waiting("peak-price", "an account of what calls cost"),
];
