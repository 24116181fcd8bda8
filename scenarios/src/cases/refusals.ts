import type { Case } from "../case.ts";
import {
  atLeast,
  atMost,
  attemptsPerCall,
  completeShare,
  honest,
  percent,
  seconds,
  share,
} from "../figures.ts";
import { phase } from "../phases.ts";
import type { Played } from "../play.ts";
import { STEP_MS } from "../world.ts";

/** The host refuses: for load, for the account, for the edge in front of it. */
export const refusals: readonly Case[] = [
  {
    scenario: "503-burst",
    figures: (played) => [
      ...honest(played),
      atLeast("complete and correct, %", 95, completeShare(played)),
      atMost("requests a call", 1.2, attemptsPerCall(played)),
    ],
  },
  {
    scenario: "429-storm",
    figures: (played) => {
      const { fromMs, toMs } = phase(played.scenario, "limit of 25");
      const settled = played.attempts.filter(
        ({ tReceived }) => tReceived >= fromMs + 2_000 && tReceived < toMs,
      );
      return [
        ...honest(played),
        atMost("until our own limit is 25 or less, s", 2, seconds(limitFell(played, 25) - fromMs)),
        atMost("429 among the requests from then on, %", 3, share(settled, 429)),
      ];
    },
  },
  {
    scenario: "balance-drain",
    client: ({ second }) => ({
      fallback: { apiKey: second.key, baseURL: "https://second.example", fetch: second.fetch },
    }),
    figures: (played) => {
      const { fromMs, toMs } = phase(played.scenario, "402");
      const { attempts, calls } = played;
      const first = attempts.find(({ status }) => status === 402)?.tEnded ?? NaN;
      const inVain = attempts.filter(({ tReceived }) => tReceived > first + STEP_MS && tReceived < toMs);
      const back = attempts.find(({ status, tReceived }) => status === 200 && tReceived >= toMs)?.tReceived;
      const meanwhile = calls.filter(({ arrival: { at } }) => at >= fromMs && at < toMs);
      return [
        ...honest(played),
        atMost("completions sent after the first 402, until the top-up", 0, inVain.length),
        atLeast("complete and correct meanwhile, by the other host, %", 100, rightShare(meanwhile)),
        atMost("from the top-up to the next answer of this host, s", 60, seconds((back ?? Infinity) - toMs)),
      ];
    },
  },
  {
    scenario: "edge-html",
    figures: (played) => [
      ...honest(played),
      atLeast("complete and correct, %", 99.5, completeShare(played)),
      atMost(
        "errors that say anything but SERVER",
        0,
        played.events.filter(
          (event) =>
            event.type === "attempt-end" &&
            event.ending.status === "failed" &&
            (event.ending.error as { code?: string }).code !== "SERVER",
        ).length,
      ),
    ],
  },
];

function rightShare(calls: Played["calls"]): number {
  return percent(
    calls.filter(({ error, text }) => error === undefined && text === "complete").length,
    calls.length,
  );
}

/** When our limit first came down to this. */
function limitFell({ events }: Played, to: number): number {
  return events.find((event) => event.type === "limit-change" && event.to <= to)?.at ?? Infinity;
}
