import { percentilesOf } from "./samples.ts";

/** What happened within some seconds. */
export interface Step {
  /** Which one, counted from the beginning of the clock. */
  readonly number: number;
  answered: number;
  failed: number;
  refused: number;
  cancelled: number;
  attempts: number;
  retries: number;
  tokens: number;
  /** Of the attempts whose cost is known. */
  usd: number;
  wasteUsd: number;
  priced: number;
  /** At most, within it. */
  inFlight: number;
  queued: number;
  /** In flight when it began. */
  found: number;
  /** In flight when the last thing happened in it. */
  left: number;
  /** By policy and code; made where something was refused. */
  refusals: Map<string, Map<string, number>> | undefined;
  /** First-token times while it lasts; then only what they come to is kept. */
  firstTokens: number[];
  firstTokenP50: number | null;
  firstTokenP99: number | null;
}

export const STEP_MS = 5_000;
export const STEPS = 60;

/** First-token times of one step: those that come when there are more are left out of the chart, and of nothing else. */
const MAX_FIRST_TOKENS = 500;

/** The last steps of a clock, in a ring. */
export interface Steps {
  /** The step of this moment. */
  at(now: number): Step;
  /** The last ones, this moment's the last of them; `undefined` where nothing has happened in one. */
  last(count: number, now: number): (Step | undefined)[];
}

/** @param begin is told of each step that begins because something happens in it */
export function createSteps(begin: (step: Step) => void): Steps {
  const ring: (Step | undefined)[] = [];
  let current: Step | undefined;
  const numberAt = (now: number): number => Math.floor(now / STEP_MS);
  return {
    at(now) {
      const number = numberAt(now);
      if (current?.number === number) return current;
      if (current !== undefined) seal(current);
      current = ring[number % STEPS] = emptyStep(number);
      begin(current);
      return current;
    },
    last(count, now) {
      if (current !== undefined) seal(current, false);
      const newest = numberAt(now);
      return Array.from({ length: count }, (_, back) => {
        const number = newest - count + 1 + back;
        const step = number < 0 ? undefined : ring[number % STEPS];
        return step?.number === number ? step : undefined;
      });
    },
  };
}

export function addFirstToken(step: Step, ms: number): void {
  if (step.firstTokens.length < MAX_FIRST_TOKENS) step.firstTokens.push(ms);
}

function seal(step: Step, over = true): void {
  const percentiles = percentilesOf(step.firstTokens);
  step.firstTokenP50 = percentiles?.p50 ?? step.firstTokenP50;
  step.firstTokenP99 = percentiles?.p99 ?? step.firstTokenP99;
  if (over) step.firstTokens = [];
}

function emptyStep(number: number): Step {
  return {
    number,
    answered: 0,
    failed: 0,
    refused: 0,
    cancelled: 0,
    attempts: 0,
    retries: 0,
    tokens: 0,
    usd: 0,
    wasteUsd: 0,
    priced: 0,
    inFlight: 0,
    queued: 0,
    found: 0,
    left: 0,
    refusals: undefined,
    firstTokens: [],
    firstTokenP50: null,
    firstTokenP99: null,
  };
}
