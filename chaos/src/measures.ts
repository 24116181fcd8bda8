import { type Held, heldOf, admissionsOf, type History } from "./history.ts";
import { overlapAt, worstOverlap } from "./overlap.ts";
import { type Measured, WAIT_BOUND_MS } from "./rows.ts";
import { worstWindow } from "./windows.ts";
import type { PermitLoad, RateLoad } from "./wire.ts";

const WINDOWS_MS = [250, 1_000, 4_000];

export interface RateBound {
  /** So many bursts beside the one that there always is, and why. */
  readonly bursts?: number;
  readonly because?: string;
  /** Nobody has Redis in this time (µs): what all do by their shares then is within the limit. */
  readonly away?: { readonly from: number; readonly to: number };
}

/**
 * The window of those tried in which the bound is nearest, or is overstepped by most. Where Redis answers some and not
 * others in time, those go by their shares, which together are the limit once more at most: as many as there were come
 * on top.
 */
export function rateMeasure(history: History, load: RateLoad, bound: RateBound = {}): Measured {
  const { bursts = 0, because } = bound;
  const { name, limit, perMs, burst } = load;
  const admitted = admissionsOf(history, name);
  const { from, to } = bound.away ?? { from: Infinity, to: Infinity };
  const local = admissionsOf(history, name, "local").filter(({ at }) => at < from || at > to);
  const tried = WINDOWS_MS.map((ms) => {
    const once = burst + (limit * ms) / perMs;
    const beside = Math.min(once, worstWindow(local, ms * 1_000));
    return {
      ms,
      worst: worstWindow(admitted, ms * 1_000),
      bound: Math.floor(once + bursts * burst + beside),
    };
  });
  const nearest = tried.reduce((a, b) => (b.worst / b.bound > a.worst / a.bound ? b : a));
  const what = `${bursts === 0 ? "" : `${1 + bursts} × `}burst + rate × w`;
  return {
    unit: `admissions in ${nearest.ms} ms ≤ ${what}${because === undefined ? "" : `: ${because}`}`,
    bound: nearest.bound,
    worst: nearest.worst,
  };
}

/**
 * A decision that Redis does not make in time is made by a process's share, and such permits come on top.
 *
 * @param more how many others, and why
 */
export function permitMeasure(
  history: History,
  load: PermitLoad,
  { more = 0, because }: { readonly more?: number; readonly because?: string } = {},
): Measured {
  const held = heldOf(history, load.name);
  const byShares = worstOverlap(held.filter(({ source }) => source === "local"));
  const beside = [
    ...(byShares > 0 ? ["shares without Redis"] : []),
    ...(because === undefined ? [] : [because]),
  ];
  return {
    unit: `permits at once ≤ ${["limit", ...beside].join(" + ")}`,
    bound: load.concurrency + more + byShares,
    worst: worstOverlap(held),
    waitBoundMs: WAIT_BOUND_MS + load.maxWaitMs,
  };
}

/**
 * The same where all processes lose Redis at a moment (µs): those that held less than their share then take up to it, and
 * what the others hold runs on. What shares gave at other times comes on top, as elsewhere.
 */
export function permitMeasureAway(
  history: History,
  load: PermitLoad,
  { from, to, processes }: { readonly from: number; readonly to: number; readonly processes: number },
): Measured {
  const share = shareOf(load, processes);
  const held = heldOf(history, load.name);
  let out = 0;
  for (let worker = 0; worker < processes; worker++) {
    const own = held.filter((one) => one.worker === worker);
    // What was on its way when it happened is taken a moment later.
    out += Math.max(share, ...[0, 20, 40, 60].map((ms) => overlapAt(own, from + ms * 1_000)));
  }
  const otherwise = held.filter((one) => one.source === "local" && (one.from < from || one.from > to));
  return {
    unit: "permits at once ≤ limit + shares of processes that held less",
    bound: Math.max(load.concurrency, out) + worstOverlap(otherwise),
    worst: worstOverlap(held),
    waitBoundMs: WAIT_BOUND_MS + load.maxWaitMs,
  };
}

const shareOf = ({ concurrency }: PermitLoad, processes: number): number =>
  Math.max(1, Math.floor(concurrency / processes));

/** Nobody takes more than its share while Redis does not decide, counting what it has from there. */
export function sharesKept(history: History, load: PermitLoad, processes: number): readonly string[] {
  const share = shareOf(load, processes);
  const held = heldOf(history, load.name);
  const greedy = held.filter(
    ({ worker, source, from }) =>
      source === "local" &&
      overlapAt(
        held.filter((one) => one.worker === worker),
        from,
      ) > share,
  );
  return greedy.length === 0
    ? []
    : [`${greedy.length} permits were given beside a process's share of ${share}`];
}

/** What some processes held at a moment; all of them where none is named. */
export function heldAt(
  history: History,
  load: PermitLoad,
  at: number,
  workers?: ReadonlySet<number>,
): number {
  const held: readonly Held[] = heldOf(history, load.name);
  return overlapAt(workers === undefined ? held : held.filter(({ worker }) => workers.has(worker)), at);
}
