import type { Event } from "./events.ts";
import type { Interval } from "./overlap.ts";
import type { Admitted } from "./windows.ts";

/** What all processes of a fleet did, by load. */
export interface History {
  /** In µs, all of them. */
  readonly events: readonly (Event & { readonly worker: number })[];
  /** When the process was killed; not there if it ended by itself. */
  readonly killedAt: ReadonlyMap<number, number>;
  /** When the processes that were left were told to end. */
  readonly endingAt: number;
  /** When they had. */
  readonly endedAt: number;
}

/** A permit that was held, by whom, and who gave it: `store`, or `local`. */
export interface Held extends Interval {
  readonly worker: number;
  readonly source: string;
}

/** @param source only those that were decided there */
export function admissionsOf({ events }: History, load: string, source?: string): Admitted[] {
  return events.flatMap((event) =>
    event.type === "begin" && event.load === load && (source === undefined || event.note === source)
      ? [event]
      : [],
  );
}

/** What a killed process held, it held until it was killed. */
export function heldOf({ events, killedAt, endedAt }: History, load: string): Held[] {
  const open = new Map<string, Held>();
  const held: Held[] = [];
  for (const event of events) {
    if (event.load !== load || (event.type !== "begin" && event.type !== "end")) continue;
    const id = `${event.worker} ${event.id}`;
    if (event.type === "begin")
      open.set(id, { worker: event.worker, source: event.note, from: event.at, to: Infinity });
    else {
      held.push({ ...(open.get(id) as Held), to: event.at });
      open.delete(id);
    }
  }
  for (const one of open.values()) held.push({ ...one, to: killedAt.get(one.worker) ?? endedAt });
  return held;
}

/** How long callers waited, from asking to being let through or turned away. */
export interface Waits {
  readonly longestMs: number;
  /** The longest without the time for which the machine gave the caller's process no processor. */
  readonly longestOwnMs: number;
}

/** @param still processes that stood still themselves: nothing is asked of them */
export function waitsOf({ events }: History, still: ReadonlySet<number> = new Set()): Waits {
  const stalls = events.filter((event) => event.type === "stall");
  let longest = 0;
  let longestOwn = 0;
  for (const event of events) {
    if (still.has(event.worker) || (event.type !== "begin" && event.type !== "turned-away")) continue;
    const us = event.at - event.askedAt;
    longest = Math.max(longest, us);
    if (us <= longestOwn) continue;
    let stalled = 0;
    for (const stall of stalls) {
      if (stall.worker !== event.worker) continue;
      stalled += Math.max(0, Math.min(event.at, stall.at) - Math.max(event.askedAt, stall.at - stall.us));
    }
    longestOwn = Math.max(longestOwn, us - stalled);
  }
  return { longestMs: longest / 1_000, longestOwnMs: longestOwn / 1_000 };
}

/**
 * How long after `since` (µs) the last process that went without Redis was decided by it again, in ms. What happens to it
 * later is another matter: on a machine that is busy a decision may come too late at any time.
 */
export function recoveryMs({ events, killedAt }: History, load: string, since: number): number {
  const away = new Set<number>();
  let last = since;
  for (const event of events) {
    if (event.load !== load || killedAt.has(event.worker)) continue;
    if (event.type === "degrade" && event.at <= since) away.add(event.worker);
    else if (event.type === "recover" && away.delete(event.worker) && event.at > since) last = event.at;
  }
  return away.size > 0 ? Infinity : (last - since) / 1_000;
}
