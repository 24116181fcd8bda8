// What limits are, said once more: without the core, without Lua, and with whole numbers alone. Times are in µs.
import type { RateRule, RateStanding } from "@breakwater/core";

/** How a limit may stand, and with what it says so: the worst of it and the best. */
export interface Span {
  readonly worst: RateStanding;
  readonly best: RateStanding;
}

/**
 * A token bucket: the moment at which it is full. When something took effect is not always known, so there are two: it is
 * full then at the earliest, and at the latest. As long as nothing depends on it they are the same, and so is the verdict.
 * Moments are counted in µs / limit, in which everything is a whole number.
 */
export interface Bucket {
  readonly earliest: number;
  readonly latest: number;
  /** It was full for certain at this time, and perhaps at that, and something was taken or given back there. */
  readonly surely: number;
  readonly perhaps: number;
}

export const FULL: Bucket = { earliest: 0, latest: 0, surely: 0, perhaps: 0 };

const perOf = ({ perMs }: RateRule): number => Math.round(perMs * 1_000);

/** @param cost what is asked for; `undefined` once it was taken */
export function bucketStanding(
  { earliest, latest }: Bucket,
  rule: RateRule,
  cost: number | undefined,
  now: number,
): Span {
  const standing = (full: number): RateStanding => {
    const { limit, burst } = rule;
    const per = perOf(rule);
    const missing = Math.max(0, full - now * limit);
    const tooMuch = cost === undefined ? 0 : missing - Math.max(0, burst - cost) * per;
    return {
      remaining: Math.floor((burst * per - missing) / per),
      retryAfterMs: Math.max(0, Math.ceil(tooMuch / (limit * 1_000))),
      resetMs: Math.ceil(missing / (limit * 1_000)),
    };
  };
  return { worst: standing(latest), best: standing(earliest) };
}

/** Taken between `from` and `to`: sooner is better, for a full bucket wastes what flows in. */
export function takeOfBucket(bucket: Bucket, rule: RateRule, cost: number, from: number, to: number): Bucket {
  if (cost === 0) return bucket;
  const { earliest, latest, surely, perhaps } = bucket;
  const { limit } = rule;
  const amount = cost * perOf(rule);
  return {
    earliest: Math.max(earliest, from * limit) + amount,
    latest: Math.max(latest, to * limit) + amount,
    surely: latest <= from * limit ? from : surely,
    perhaps: earliest <= to * limit ? to : perhaps,
  };
}

/** Given back, unless it has been full since: then it has overflowed. */
export function giveToBucket(
  bucket: Bucket,
  rule: RateRule,
  amount: number,
  takenAt: number,
  from: number,
  to: number,
): Bucket {
  const { earliest, latest, surely, perhaps } = bucket;
  const back = amount * perOf(rule);
  if (surely > takenAt || latest <= from * rule.limit) return bucket;
  if (perhaps > takenAt || earliest <= to * rule.limit) return { ...bucket, earliest: earliest - back };
  return { ...bucket, earliest: earliest - back, latest: latest - back };
}

/** A sliding window: what was taken, in entries of a 64th of it. Taken at times that are known. */
export type Window = readonly (readonly [from: number, at: number, cost: number])[];

const within = (window: Window, per: number, now: number): Window =>
  window.filter(([, at]) => at + per > now);

export function windowStanding(
  window: Window,
  rule: RateRule,
  cost: number | undefined,
  now: number,
): RateStanding {
  const per = perOf(rule);
  const entries = within(window, per, now);
  const used = entries.reduce((sum, [, , each]) => sum + each, 0);
  let tooMuch = used + (cost ?? 0) - rule.limit;
  let wait = 0;
  for (const [, at, each] of entries) {
    if (cost === undefined || tooMuch <= 0) break;
    tooMuch -= each;
    wait = at + per - now;
  }
  const last = entries.findLast(([, , each]) => each > 0);
  return {
    remaining: rule.limit - used,
    retryAfterMs: Math.ceil(wait / 1_000),
    resetMs: last === undefined ? 0 : Math.ceil((last[1] + per - now) / 1_000),
  };
}

export function takeOfWindow(window: Window, rule: RateRule, cost: number, now: number): Window {
  if (cost === 0) return window;
  const per = perOf(rule);
  const entries = within(window, per, now);
  const last = entries.at(-1);
  return last !== undefined && now - last[0] < per / 64
    ? [...entries.slice(0, -1), [last[0], now, last[2] + cost]]
    : [...entries, [now, now, cost]];
}

/** It does not matter when: what it is taken from leaves the window at the same time, whether it was there or not. */
export function giveToWindow(window: Window, amount: number, takenAt: number): Window {
  const which = window.findLastIndex(([from]) => from <= takenAt);
  return window.map((entry, i) =>
    i === which ? [entry[0], entry[1], Math.max(0, entry[2] - amount)] : entry,
  );
}
