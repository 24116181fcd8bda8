import type { BreakwaterEvent, EventOf, Runtime, Snapshot } from "@breakwater/core";

import { createSamples, type Percentiles, tenths } from "./samples.ts";
import { addFirstToken, createSteps, type Step, STEP_MS, STEPS } from "./steps.ts";

/** What a client did of late. */
export interface ClientStats {
  /** Of what time these figures are: almost a minute, or less at first; the series is of a longer one. */
  readonly windowMs: number;
  /** Calls that have ended: the sum of the next four. */
  readonly calls: number;
  readonly answered: number;
  readonly failed: number;
  readonly refused: number;
  readonly cancelled: number;
  /** Requests that left for the upstream. */
  readonly attempts: number;
  readonly retries: number;
  /** That the upstream has told, or that were estimated, of prompts and completions. */
  readonly tokens: number;
  /** `null` where no cost is known. */
  readonly costUsd: number | null;
  /** The part of it that was for nothing: whatever did not become the answer of a call. */
  readonly wasteUsd: number | null;
  /** From the start of a call to its first token, in ms. */
  readonly firstToken: Percentiles | null;
  /** Of calls that were answered, to the last token, in ms. */
  readonly duration: Percentiles | null;
  /** Most first; of those policies only that are in this client. */
  readonly refusalsBy: readonly { readonly policy: string; readonly code: string; readonly count: number }[];
  readonly series: Series;
}

/** For charts: the last five minutes. */
export interface Series {
  readonly stepMs: number;
  /** When the last step is over, in ms since 1970. */
  readonly until: number;
  /** Oldest first. */
  readonly points: readonly SeriesPoint[];
}

export interface SeriesPoint {
  readonly answered: number;
  readonly failed: number;
  readonly refused: number;
  readonly cancelled: number;
  readonly retries: number;
  /** At most, within the step. */
  readonly inFlight: number;
  readonly queued: number;
  /** `null` where there was none. */
  readonly firstTokenP50: number | null;
  readonly firstTokenP99: number | null;
}

/** The figures of one client. It is told every event, so that what it does with one is a handful of additions. */
export interface Stats {
  note(event: BreakwaterEvent): void;
  /** @param snapshot the client's own, of this moment */
  read(snapshot: Snapshot): ClientStats;
}

const WINDOW_STEPS = 12;

/** Policies, and codes of one, that are told apart: they are names that somebody else gives. */
const MAX_REFUSERS = 50;

/** @param snapshot asked once in a step: how many wait in queues is told by no event */
export function createStats(runtime: Runtime, snapshot: () => Snapshot): Stats {
  const firstTokens = createSamples();
  const durations = createSamples();
  const since = runtime.now();
  let inFlight = snapshot().inFlight;
  const steps = createSteps((step) => {
    step.inFlight = step.found = step.left = inFlight;
    step.queued = queuedIn(snapshot());
  });

  function end({ ending, startedAt }: EventOf<"call-end">, step: Step, now: number): void {
    step.left = inFlight = Math.max(0, inFlight - 1);
    step[ending.status]++;
    if (ending.firstTokenAt !== undefined) {
      const ms = tenths(ending.firstTokenAt - startedAt);
      firstTokens.add(ms, now);
      addFirstToken(step, ms);
    }
    if (ending.status === "answered") durations.add(tenths(ending.endedAt - startedAt), now);
  }

  return {
    note(event) {
      const now = runtime.now();
      const step = steps.at(now);
      switch (event.type) {
        case "call-start":
          step.left = ++inFlight;
          step.inFlight = Math.max(step.inFlight, inFlight);
          return;
        case "call-end":
          return end(event, step, now);
        case "attempt-start":
          step.attempts++;
          return;
        case "attempt-end":
          step.tokens += tokensOf(event);
          return;
        case "attempt-cost":
          return addCost(step, event);
        case "retry-wait":
          step.retries++;
          return;
        case "call-refused":
          return addRefusal((step.refusals ??= new Map()), event.refusal.by, event.refusal.code, 1);
        default:
      }
    },
    read(known) {
      const now = runtime.now();
      // Counted anew: calls that began before anybody listened tell no end.
      inFlight = known.inFlight;
      const step = steps.at(now);
      step.left = inFlight;
      step.inFlight = Math.max(step.inFlight, inFlight);
      step.queued = Math.max(step.queued, queuedIn(known));
      const begin = Math.max(since, (step.number + 1 - WINDOW_STEPS) * STEP_MS);
      const recent = steps.last(WINDOW_STEPS, now).filter((one) => one !== undefined);
      const sum = (of: (step: Step) => number): number => recent.reduce((total, one) => total + of(one), 0);
      const [answered, failed, refused, cancelled] = OUTCOMES.map((status) => sum((one) => one[status]));
      const counts = { answered, failed, refused, cancelled } as Record<(typeof OUTCOMES)[number], number>;
      const priced = sum((one) => one.priced) > 0;
      return {
        windowMs: now - begin,
        calls: counts.answered + counts.failed + counts.refused + counts.cancelled,
        ...counts,
        attempts: sum((one) => one.attempts),
        retries: sum((one) => one.retries),
        tokens: sum((one) => one.tokens),
        costUsd: priced ? sum((one) => one.usd) : null,
        wasteUsd: priced ? sum((one) => one.wasteUsd) : null,
        firstToken: firstTokens.since(begin),
        duration: durations.since(begin),
        refusalsBy: refusalsIn(recent),
        series: {
          stepMs: STEP_MS,
          until: Math.round(runtime.wallNow() + (step.number + 1) * STEP_MS - now),
          points: pointsOf(steps.last(STEPS, now)),
        },
      };
    },
  };
}

const OUTCOMES = ["answered", "failed", "refused", "cancelled"] as const;

function tokensOf({ ending: { usage } }: EventOf<"attempt-end">): number {
  if (usage === undefined) return 0;
  return usage.totalTokens ?? (usage.promptTokens ?? 0) + (usage.completionTokens ?? 0);
}

function addCost(step: Step, { category, usd }: EventOf<"attempt-cost">): void {
  if (usd === null || category === "cached") return;
  step.priced++;
  step.usd += usd;
  if (category !== "useful") step.wasteUsd += usd;
}

function addRefusal(by: NonNullable<Step["refusals"]>, policy: string, code: string, count: number): void {
  const codes = entry(by, policy, () => new Map<string, number>());
  const name = codes.has(code) || codes.size < MAX_REFUSERS ? code : "other";
  codes.set(name, (codes.get(name) ?? 0) + count);
}

function entry<T>(map: Map<string, T>, key: string, make: () => T): T {
  const name = map.has(key) || map.size < MAX_REFUSERS ? key : "other";
  let value = map.get(name);
  if (value === undefined) map.set(name, (value = make()));
  return value;
}

function refusalsIn(steps: readonly Step[]): ClientStats["refusalsBy"] {
  const all: NonNullable<Step["refusals"]> = new Map();
  for (const { refusals = [] } of steps)
    for (const [policy, codes] of refusals)
      for (const [code, count] of codes) addRefusal(all, policy, code, count);
  return [...all]
    .flatMap(([policy, codes]) => [...codes].map(([code, count]) => ({ policy, code, count })))
    .toSorted((a, b) => b.count - a.count)
    .slice(0, MAX_REFUSERS);
}

function pointsOf(steps: readonly (Step | undefined)[]): readonly SeriesPoint[] {
  let left = steps.find((step) => step !== undefined)?.found ?? 0;
  let waiting = 0;
  return steps.map((step): SeriesPoint => {
    // Nothing has happened: whoever was in flight still is.
    if (step === undefined) return left === 0 ? QUIET : { ...QUIET, inFlight: left, queued: waiting };
    left = step.left;
    waiting = step.queued;
    const { answered, failed, refused, cancelled, retries, inFlight, queued } = step;
    const { firstTokenP50, firstTokenP99 } = step;
    return {
      answered,
      failed,
      refused,
      cancelled,
      retries,
      inFlight,
      queued,
      firstTokenP50,
      firstTokenP99,
    };
  });
}

const QUIET: SeriesPoint = {
  answered: 0,
  failed: 0,
  refused: 0,
  cancelled: 0,
  retries: 0,
  inFlight: 0,
  queued: 0,
  firstTokenP50: null,
  firstTokenP99: null,
};

/** How many wait in all of its queues. */
function queuedIn({ policies }: Snapshot): number {
  let all = 0;
  for (const { state } of policies) {
    const queued = (state as { readonly queued?: unknown } | null | undefined)?.queued;
    if (typeof queued !== "object" || queued === null) continue;
    for (const count of Object.values(queued)) if (typeof count === "number") all += count;
  }
  return all;
}
