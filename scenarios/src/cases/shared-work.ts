import { recommended } from "@breakwater/deepseek";

import type { Case } from "../case.ts";
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
  {
    scenario: "peak-price",
    figures: (played) => {
      const { attempts, deepseek } = played;
      const { estimatedNanoUsd, nanoUsd, unknown } = deepseek.costs.total();
      const bill = attempts.reduce((sum, { billedNanoUsd }) => sum + BigInt(billedNanoUsd), 0n);
      const tiers = new Set(attempts.map(({ tier }) => tier));
      return [
        ...honest(played),
        atLeast("complete and correct, %", 100, completeShare(played)),
        atLeast("prices that held while it was played", 2, tiers.size),
        atMost("difference between the ledger and the bill, nanodollars", 0, difference(nanoUsd, bill)),
        atMost("nanodollars that were estimated", 0, Number(estimatedNanoUsd)),
        atMost("attempts whose cost is not known", 0, unknown),
      ];
    },
  },
];

function difference(a: bigint, b: bigint): number {
  return Number(a > b ? a - b : b - a);
}
