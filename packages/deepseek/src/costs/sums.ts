import { usdOf } from "./money.ts";
import type { CostCategory, CostRecord } from "./record.ts";

/** What several records come to. As JSON, bigints are texts. */
export interface CostSum {
  /** Billionths of a dollar; exactly the sum of the records whose cost is known. */
  readonly nanoUsd: bigint;
  /** The same for people: `0.012`. */
  readonly usd: string;
  /** The part of it that was for nothing: whatever is neither `useful` nor `cached`. */
  readonly wasteNanoUsd: bigint;
  readonly wasteUsd: string;
  /** The part of it whose tokens were estimated. */
  readonly estimatedNanoUsd: bigint;
  readonly estimatedUsd: string;
  /** What answers from a cache would have cost. */
  readonly savedNanoUsd: bigint;
  readonly savedUsd: string;
  /** HTTP requests. */
  readonly attempts: number;
  /** Answers from a cache. */
  readonly cached: number;
  /** Attempts whose cost nobody knows: they are not in the sums. */
  readonly unknown: number;
  /** Tokens that are known. */
  readonly hit: number;
  readonly miss: number;
  readonly completion: number;
  readonly reasoning: number;
}

/** A sum that goes on. */
export interface Tally {
  nanoUsd: bigint;
  wasteNanoUsd: bigint;
  estimatedNanoUsd: bigint;
  savedNanoUsd: bigint;
  attempts: number;
  cached: number;
  unknown: number;
  hit: number;
  miss: number;
  completion: number;
  reasoning: number;
}

export function emptyTally(): Tally {
  return {
    nanoUsd: 0n,
    wasteNanoUsd: 0n,
    estimatedNanoUsd: 0n,
    savedNanoUsd: 0n,
    attempts: 0,
    cached: 0,
    unknown: 0,
    hit: 0,
    miss: 0,
    completion: 0,
    reasoning: 0,
  };
}

const WORTH_IT: ReadonlySet<CostCategory> = new Set(["useful", "cached"]);

export function addRecord(tally: Tally, record: CostRecord): void {
  if (record.category === "cached") {
    tally.cached++;
    tally.savedNanoUsd += record.savedNanoUsd ?? 0n;
    return;
  }
  tally.attempts++;
  tally.hit += record.hit ?? 0;
  tally.miss += record.miss ?? 0;
  tally.completion += record.completion ?? 0;
  tally.reasoning += record.reasoning ?? 0;
  if (record.nanoUsd === null) {
    tally.unknown++;
    return;
  }
  tally.nanoUsd += record.nanoUsd;
  if (!WORTH_IT.has(record.category)) tally.wasteNanoUsd += record.nanoUsd;
  if (record.estimated) tally.estimatedNanoUsd += record.nanoUsd;
}

export function addTally(tally: Tally, other: Tally): void {
  tally.nanoUsd += other.nanoUsd;
  tally.wasteNanoUsd += other.wasteNanoUsd;
  tally.estimatedNanoUsd += other.estimatedNanoUsd;
  tally.savedNanoUsd += other.savedNanoUsd;
  tally.attempts += other.attempts;
  tally.cached += other.cached;
  tally.unknown += other.unknown;
  tally.hit += other.hit;
  tally.miss += other.miss;
  tally.completion += other.completion;
  tally.reasoning += other.reasoning;
}

export function sumOf(tally: Tally): CostSum {
  return {
    ...tally,
    usd: usdOf(tally.nanoUsd),
    wasteUsd: usdOf(tally.wasteNanoUsd),
    estimatedUsd: usdOf(tally.estimatedNanoUsd),
    savedUsd: usdOf(tally.savedNanoUsd),
  };
}

/** Plain data that JSON can say as well: it knows no bigints, and throws at them. */
export function speakable<T extends object>(data: T): T {
  const toJSON = (): object =>
    Object.fromEntries(
      Object.entries(data).map(([name, value]) => [name, typeof value === "bigint" ? String(value) : value]),
    );
  return Object.defineProperty(data, "toJSON", { value: toJSON });
}
