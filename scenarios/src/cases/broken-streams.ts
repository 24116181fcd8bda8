import type { Case } from "../case.ts";
import {
  atLeast,
  atMost,
  attemptsPerCall,
  completeShare,
  failedUnseen,
  honest,
  largest,
  seconds,
  toEnd,
} from "../figures.ts";

/** Streams that do not end as they should. */
export const brokenStreams: readonly Case[] = [
  {
    scenario: "stall-5pct",
    figures: (played) => [
      ...honest(played),
      // 120 s of silence while the model reasons, and as long an answer as there is, which takes seconds.
      atMost("longest call, s", 150, seconds(largest(toEnd(played.calls)))),
      atMost("failures before anything was delivered", 0, failedUnseen(played)),
    ],
  },
  {
    scenario: "truncate-2pct",
    figures: (played) => [
      ...honest(played),
      atMost("failures before anything was delivered", 0, failedUnseen(played)),
    ],
  },
  {
    scenario: "isr-3pct",
    figures: (played) => [
      ...honest(played),
      atMost("failures before anything was delivered", 0, failedUnseen(played)),
      atLeast(
        "attempts that were counted as failures of the host, % of those interrupted",
        100,
        countedShare(played),
      ),
    ],
  },
  {
    scenario: "resume",
    client: () => ({ midStream: "resume" }),
    figures: (played) => [
      ...honest(played),
      atLeast("complete and correct, %", 100, completeShare(played)),
      atMost("requests a call", 2, attemptsPerCall(played)),
    ],
  },
];

function countedShare({ attempts, events }: Parameters<Case["figures"]>[0]): number {
  const interrupted = attempts.filter(({ finish }) => finish === "insufficient_system_resource").length;
  const counted = events.filter(
    (event) =>
      event.type === "attempt-end" &&
      event.ending.fault === "upstream" &&
      (event.ending.error as { code?: string }).code === "UPSTREAM_INTERRUPTED",
  ).length;
  return (100 * counted) / interrupted;
}
