import type { Case } from "../case.ts";
import { waiting } from "../case.ts";
import { atLeast, honest, seconds } from "../figures.ts";
import type { Played } from "../play.ts";

const balancing = "balancing over several targets";

/** One of several machines is ill. */
export const sickHost: readonly Case[] = [
  {
    scenario: "flap",
    // The machine that goes and comes, taken for a host of its own; whoever it cannot answer goes to another.
    client: ({ host, second }) => ({
      baseURL: host.replicaUrl("b"),
      fallback: { apiKey: second.key, baseURL: "https://second.example", fetch: second.fetch },
    }),
    figures: (played) => [
      ...honest(played),
      atLeast("shortest time between two openings of the breaker, s", 5, seconds(shortestGap(played))),
    ],
  },
  waiting("brownout-1-of-3", balancing),
  waiting("black-hole", balancing),
  waiting("cold-cache-affinity", balancing),
  waiting("hedge-tail", "hedging over several targets"),
];

function shortestGap({ events }: Played): number {
  const opened = events.filter(({ type }) => type === "breaker-open").map(({ at }) => at);
  const gaps = opened.slice(1).map((at, i) => at - (opened[i] as number));
  return gaps.length === 0 ? Infinity : Math.min(...gaps);
}
