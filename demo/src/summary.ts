import type { CallRecord } from "./browser.ts";
import { type Fate, fateOf } from "./fate.ts";
import { type Latencies, latenciesOf } from "./latencies.ts";
import type { ColumnResult } from "./run.ts";
import { wastedTokens } from "./waste.ts";

/** The figures of one column. Durations are milliseconds of the evening. */
export interface Summary {
  readonly column: ColumnResult["column"];
  readonly calls: number;
  readonly fates: Readonly<Record<Fate, number>>;
  readonly lookedSuccessful: number;
  /** Answers with a token that does not belong there. None is expected, from anybody. */
  readonly garbled: number;
  /** Errors and refusals by kind, the most frequent first. */
  readonly errors: readonly Count[];
  readonly refusals: readonly Count[];
  /** From the question to its first word; who gave up before it counts with the time until then. */
  readonly firstToken: Latencies;
  /** From the question to the end of what looked like an answer; who gave up counts with the time until then. */
  readonly answered: Latencies;
  readonly toError: Latencies;
  readonly toRefusal: Latencies;
  /** Complete and correct answers a second, while questions came. */
  readonly goodputPerSecond: number;
  readonly upstreamRequests: number;
  readonly wastedTokens: number;
}

export interface Count {
  readonly kind: string;
  readonly count: number;
}

export function summarize({ column, calls, attempts }: ColumnResult, durationMs: number): Summary {
  const by = (...wanted: readonly Fate[]): readonly CallRecord[] =>
    calls.filter((call) => wanted.includes(fateOf(call)));
  const durations = (some: readonly CallRecord[]): number[] => some.map(({ atMs, endMs }) => endMs - atMs);

  const correct = by("correct");
  const hung = by("hung");
  const verified = new Set(correct.map(({ id }) => id));
  const firstTokens = calls.flatMap(
    (call) => call.firstTokenMs ?? (call.end === "hung" ? durations([call]) : []),
  );
  return {
    column,
    calls: calls.length,
    fates: {
      correct: correct.length,
      cut: by("cut").length,
      refused: by("refused").length,
      error: by("error").length,
      hung: hung.length,
    },
    lookedSuccessful: by("correct", "cut").length,
    garbled: calls.filter((call) => call.end === "answered" && call.verdict === "wrong").length,
    errors: countKinds(by("error")),
    refusals: countKinds(by("refused")),
    firstToken: latenciesOf(firstTokens),
    answered: latenciesOf(durations(by("correct", "cut", "hung"))),
    toError: latenciesOf(durations(by("error"))),
    toRefusal: latenciesOf(durations(by("refused"))),
    goodputPerSecond: Number((correct.length / (durationMs / 1_000)).toFixed(3)),
    upstreamRequests: attempts.length,
    wastedTokens: wastedTokens(attempts, verified),
  };
}

function countKinds(calls: readonly CallRecord[]): readonly Count[] {
  const counts = new Map<string, number>();
  for (const call of calls) {
    if (call.end === "complaint") counts.set(call.kind, (counts.get(call.kind) ?? 0) + 1);
  }
  return [...counts].map(([kind, count]) => ({ kind, count })).toSorted((a, b) => b.count - a.count);
}
