import { UpstreamError } from "@breakwater/core";

import type { Case } from "../case.ts";
import {
  atLeast,
  atMost,
  attemptsPerCall,
  completeShare,
  failedUnseen,
  honest,
  largest,
  percent,
  seconds,
  toEnd,
} from "../figures.ts";
import type { Played } from "../play.ts";

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

/** Each error is told once for each policy around it; it is one object all the way. */
function countedShare({ attempts, events }: Played): number {
  const interrupted = attempts.filter(({ finish }) => finish === "insufficient_system_resource").length;
  const counted = new Set(
    events.flatMap((event) =>
      event.type === "attempt-end" && event.ending.fault === "upstream" ? [event.ending.error] : [],
    ),
  );
  const errors = [...counted].filter(
    (error) => UpstreamError.isInstance(error) && error.code === "UPSTREAM_INTERRUPTED",
  );
  return percent(errors.length, interrupted);
}
