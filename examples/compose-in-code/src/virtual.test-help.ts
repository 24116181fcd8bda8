import { type Simulator, type SimulatorOptions, startSimulator } from "@breakwater/simulator";
import { createTestClock, type TestClock } from "@breakwater/testing";
import { onTestFinished } from "vitest";

import { type Batch, type BatchOptions, startBatch } from "./batch.ts";
import { type Classifier, createClassifier, type Limits } from "./classify.ts";
import type { Result } from "./results.ts";
import { simulatedAnswer } from "./simulated.ts";
import { makeTexts } from "./texts.ts";

/** How far apart the two clocks may be. */
export const STEP_MS = 10;

/** A simulated DeepSeek and a clock for those who ask it: both stand still until `until` moves them. */
export interface World {
  readonly simulator: Simulator;
  readonly clock: TestClock;
  /** When requests left, on that clock. */
  readonly sent: readonly number[];
  readonly fetch: typeof fetch;
  /** Lets time pass until the promise settles, or the condition holds. */
  until<T>(what: Promise<T>): Promise<T>;
  until(what: () => boolean): Promise<void>;
}

export async function createWorld(options: SimulatorOptions = {}): Promise<World> {
  const simulator = await startSimulator({
    clock: "manual",
    text: { content: simulatedAnswer },
    ...options,
  });
  onTestFinished(() => simulator.close());
  const clock = createTestClock({ wallStart: Date.parse(simulator.state().utc) });

  const sent: number[] = [];
  async function until(what: Promise<unknown> | (() => boolean)): Promise<unknown> {
    let settled = false;
    if (typeof what !== "function") what.catch(() => undefined).finally(() => (settled = true));
    while (!(typeof what === "function" ? what() : settled)) {
      await simulator.advance(STEP_MS);
      await clock.advance(STEP_MS);
    }
    return typeof what === "function" ? undefined : what;
  }
  return {
    simulator,
    clock,
    sent,
    fetch(...args) {
      sent.push(clock.now());
      return simulator.fetch(...args);
    },
    until: until as World["until"],
  };
}

export interface Run extends Batch, Classifier {
  readonly lines: Result[];
}

/** Starts a batch in that world; `lines` are what is in its results already. */
export function start(
  { clock, fetch, simulator }: World,
  {
    howMany = 1_000,
    limits,
    lines = [],
    signal = new AbortController().signal,
    ...more
  }: Partial<BatchOptions> & {
    readonly howMany?: number;
    readonly limits?: Partial<Limits>;
    readonly lines?: Result[];
  } = {},
): Run {
  const wanted = { concurrency: 16, requestsPerSecond: 40, tokensPerMinute: 600_000, ...limits };
  const classifier = createClassifier({
    apiKey: simulator.key,
    baseURL: simulator.url,
    fetch,
    runtime: clock,
    limits: wanted,
  });
  const batch = startBatch({
    texts: makeTexts(howMany),
    classify: classifier.classify,
    results: {
      has: ({ n }) => lines.some((line) => line.n === n),
      write: async (line) => void lines.push(line),
    },
    underWay: wanted.concurrency * 2,
    runtime: clock,
    signal,
    ...more,
  });
  return { ...classifier, ...batch, lines };
}

/** Whether it holds each of so many texts once. */
export function isComplete(lines: readonly Pick<Result, "n">[], howMany: number): boolean {
  return lines.length === howMany && new Set(lines.map(({ n }) => n)).size === howMany;
}

/** What came into the worst span of `ms`: moments, and how much each counts. */
export function worst(
  moments: readonly number[],
  ms: number,
  weightOf: (index: number) => number = () => 1,
): number {
  const sorted = moments
    .map((at, index) => ({ at, weight: weightOf(index) }))
    .toSorted((a, b) => a.at - b.at);
  let most = 0;
  let sum = 0;
  let first = 0;
  for (const { at, weight } of sorted) {
    sum += weight;
    for (let oldest = sorted[first]; oldest !== undefined && at - oldest.at >= ms; oldest = sorted[++first])
      sum -= oldest.weight;
    most = Math.max(most, sum);
  }
  return most;
}
