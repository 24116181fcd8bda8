import type { PermitReply, RateLimitReply, RateRule, RateStanding } from "@breakwater/core";

import {
  type Bucket,
  bucketStanding,
  FULL,
  giveToBucket,
  giveToWindow,
  type Span,
  takeOfBucket,
  takeOfWindow,
  type Window,
  windowStanding,
} from "./limits.test-help.ts";
import type { Model, Operation } from "./linearize.test-help.ts";
import { admits, type Ask, type Reply } from "./record.test-help.ts";

/** What happens to the limits and permits of a scope. */
export type Happening = Operation &
  (
    | { readonly what: "decide"; readonly asks: readonly Ask[]; readonly replies?: readonly Reply[] }
    | {
        readonly what: "settle";
        readonly place: string;
        readonly rule: RateRule;
        readonly by: number;
        readonly takenAt: number;
      }
    | { readonly what: "release"; readonly place: string }
  );

/** By its place: a bucket, a window, or how many permits are out. What nothing was done to is not there. */
type State = Readonly<Record<string, Bucket | Window | number>>;

interface Share {
  readonly amount: "requests" | "tokens";
  readonly place: string;
  readonly rule: RateRule;
  readonly cost: number;
}

/** The limits of an ask. Each lives by itself, whatever it is asked for together with. */
export function sharesOf(ask: Ask): readonly Share[] {
  if (ask.kind === "permit") return [];
  return (["requests", "tokens"] as const).flatMap((amount) => {
    const rule = ask.limits[amount];
    if (rule === undefined) return [];
    const place = `${amount} ${ask.name} ${ask.key}`;
    return [{ amount, place, rule, cost: ask.cost[amount] }];
  });
}

export const permitsOf = ({ name, key }: Ask): string => `permits ${name} ${key}`;

/** Rate limits and permits, as one process alone would have them: decided together, all or nothing. */
export const limitsAndPermits: Model<Happening, State> = {
  start: {},
  step(state, one, from, to) {
    switch (one.what) {
      case "release": {
        const out = (state[one.place] as number | undefined) ?? 0;
        return out > 0 ? { ...state, [one.place]: out - 1 } : undefined;
      }
      case "settle":
        return { ...state, [one.place]: settled(state, one, from, to) };
      case "decide": {
        const { asks, replies } = one;
        if (replies === undefined)
          return couldPass(state, asks, to) ? taken(state, asks, from, to) : undefined;
        const pass = replies.every(admits);
        const after = pass ? taken(state, asks, from, to) : state;
        if (pass && !couldPass(state, asks, to)) return undefined;
        return asks.every((ask, i) => says(ask, replies[i] as Reply, pass, after, from)) ? after : undefined;
      }
    }
  },
};

function settled(
  state: State,
  { place, rule, by, takenAt }: Happening & { readonly what: "settle" },
  from: number,
  to: number,
): Bucket | Window {
  if (rule.algorithm === "window") return giveToWindow(windowAt(state, place), -by, takenAt);
  const bucket = bucketAt(state, place);
  return by > 0
    ? takeOfBucket(bucket, rule, by, from, to)
    : giveToBucket(bucket, rule, -by, takenAt, from, to);
}

/** Whether all of it is there, at the best. */
function couldPass(state: State, asks: readonly Ask[], now: number): boolean {
  return asks.every((ask) =>
    ask.kind === "permit"
      ? outAt(state, ask) < ask.limit
      : sharesOf(ask).every((share) => spanOf(state, share, share.cost, now).best.retryAfterMs === 0),
  );
}

function taken(state: State, asks: readonly Ask[], from: number, to: number): State {
  const after: Record<string, State[string]> = { ...state };
  for (const ask of asks) {
    if (ask.kind === "permit") after[permitsOf(ask)] = outAt(state, ask) + 1;
    for (const { place, rule, cost } of sharesOf(ask)) {
      after[place] =
        rule.algorithm === "window"
          ? takeOfWindow(windowAt(state, place), rule, cost, from)
          : takeOfBucket(bucketAt(state, place), rule, cost, from, to);
    }
  }
  return after;
}

/** Whether this is what is said of it, in the state after the decision. */
function says(ask: Ask, reply: Reply, pass: boolean, after: State, now: number): boolean {
  if (ask.kind === "permit") {
    const { granted, active } = reply as PermitReply;
    const out = outAt(after, ask);
    return active === out && granted === (pass || out < ask.limit);
  }
  const { admitted, retryAfterMs } = reply as RateLimitReply;
  let wait = 0;
  for (const share of sharesOf(ask)) {
    const said = (reply as RateLimitReply)[share.amount];
    const span = spanOf(after, share, pass ? undefined : share.cost, now);
    if (said === undefined || !isWithin(said, span)) return false;
    wait = Math.max(wait, said.retryAfterMs);
  }
  return retryAfterMs === wait && admitted === (wait === 0);
}

function isWithin(said: RateStanding, { worst, best }: Span): boolean {
  return (
    worst.remaining <= said.remaining &&
    said.remaining <= best.remaining &&
    best.retryAfterMs <= said.retryAfterMs &&
    said.retryAfterMs <= worst.retryAfterMs &&
    best.resetMs <= said.resetMs &&
    said.resetMs <= worst.resetMs
  );
}

function spanOf(state: State, { place, rule }: Share, cost: number | undefined, now: number): Span {
  if (rule.algorithm === "gcra") return bucketStanding(bucketAt(state, place), rule, cost, now);
  const standing = windowStanding(windowAt(state, place), rule, cost, now);
  return { worst: standing, best: standing };
}

const bucketAt = (state: State, place: string): Bucket => (state[place] as Bucket | undefined) ?? FULL;
const windowAt = (state: State, place: string): Window => (state[place] as Window | undefined) ?? [];
const outAt = (state: State, ask: Ask): number => (state[permitsOf(ask)] as number | undefined) ?? 0;
