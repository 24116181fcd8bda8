import { count, dollars, duration, durations, percent, plural, short } from "./format.ts";
import { type ClientView, queuedOf } from "./merge.ts";
import type { Percentiles } from "./state.ts";

/** One figure, and what is said below it. */
export interface Figure {
  readonly label: string;
  readonly value: string;
  readonly note: string;
  readonly bad?: boolean;
}

/** The figures of a client's last minute. */
export function figuresOf(client: ClientView): readonly Figure[] {
  const { stats, inFlight, retryBudget, worst, instances } = client;
  const { calls, answered, failed, refused, cancelled, attempts, retries, tokens, costUsd, wasteUsd } = stats;
  const over = answered + failed + refused;
  const others = [
    ...(failed > 0 ? [`${short(failed)} failed`] : []),
    ...(refused > 0 ? [`${short(refused)} refused`] : []),
    ...(cancelled > 0 ? [`${short(cancelled)} cancelled`] : []),
  ];
  const waiting = queuedOf(client);
  return [
    {
      label: "Calls ended",
      value: short(calls),
      note: `in the last ${duration(stats.windowMs)}`,
    },
    {
      label: "Answered",
      value: percent(answered, over),
      note: others.length === 0 ? "none failed or refused" : others.join(", "),
      bad: over > 0 && answered / over < 0.95,
    },
    percentiles("First token", stats.firstToken, instances > 1 ? worst.firstToken : undefined),
    percentiles("Whole answer", stats.duration, instances > 1 ? worst.duration : undefined),
    {
      label: "In flight",
      value: short(inFlight),
      note: waiting === 0 ? "none waiting" : `${short(waiting)} waiting`,
    },
    {
      label: "Retries",
      value: short(retries),
      note: `${plural(attempts, "attempt")}; budget ${short(Math.floor(retryBudget.available))}`,
      bad: retryBudget.available < 1,
    },
    {
      label: "Tokens",
      value: short(tokens),
      note:
        tokens > 0 && calls > 0
          ? `${count(tokens / calls)} a call`
          : tokens > 0
            ? "of calls that go on"
            : "none yet",
    },
    {
      label: "Cost",
      value: costUsd === null ? "–" : dollars(costUsd),
      note:
        wasteUsd === null
          ? costUsd === null
            ? "not known"
            : "waste not known"
          : `${dollars(wasteUsd)} of it waste`,
      bad: wasteUsd !== null && costUsd !== null && wasteUsd > 0.1 * costUsd,
    },
  ];
}

function percentiles(label: string, found: Percentiles | null, instance: string | undefined): Figure {
  if (found === null) return { label, value: "–", note: "none yet" };
  const of = instance === undefined ? "" : ` of the worst, ${instance}`;
  return {
    label,
    value: durations(found.p50, found.p99),
    note: `p50 · p99${of}; longest ${duration(found.max)}`,
  };
}
