import { linearize, type Verdict } from "./linearize.test-help.ts";
import { type Happening, limitsAndPermits, permitsOf, sharesOf } from "./model.test-help.ts";
import type { Ask, Deed, Line, Reply } from "./record.test-help.ts";

/** What a process did, and whether it was killed. */
export interface Log {
  readonly lines: readonly Line[];
  readonly killed?: boolean;
}

export interface History {
  /**
   * What has to do with one another: limits and permits that were asked for together, and all that was done to them.
   * Without those parts in which it is not known what the store did.
   */
  readonly parts: readonly Part[];
  readonly operations: number;
  /** Operations of processes that live, which Redis did not answer: what the store did about it later is not in the log. */
  readonly unanswered: number;
}

export type Part = readonly Happening[];

type Begun = Line & { readonly deed: Deed };

/** One history of the logs of all processes. */
export function historyOf(logs: readonly Log[]): History {
  const [start, origin] = beginning(logs);
  const all: Happening[] = [];
  const unclear = new Set<Happening>();
  for (const { lines, killed } of logs) {
    const deeds = new Map<number, Begun>();
    const ends = new Map<number, Line>();
    for (const line of lines) {
      if ("deed" in line) deeds.set(line.id, line);
      else ends.set(line.id, line);
    }
    for (const [id, { deed, at }] of deeds) {
      const end = ends.get(id);
      const known = end !== undefined && "replies" in end ? end : undefined;
      const add = (one: Happening): void => {
        all.push(one);
        if (known === undefined && killed !== true) unclear.add(one);
      };
      const span = {
        invoked: Number(BigInt(at) - start),
        returned: known === undefined ? Infinity : Number(BigInt(known.at) - start),
      };
      if (deed.do === "decide") {
        const when = known?.replies.find((reply) => "admitted" in reply)?.at;
        add({
          ...span,
          what: "decide",
          asks: deed.asks,
          ...(known !== undefined && { replies: known.replies }),
          ...(when !== undefined && { at: micros(when) - origin }),
        });
        continue;
      }
      const { asks } = (deeds.get(deed.of) as Begun).deed as Deed & { readonly do: "decide" };
      const ask = asks[deed.which] as Ask;
      if (deed.do === "release") {
        const place = permitsOf(ask);
        add({ ...span, what: "release", place, alike: place });
        continue;
      }
      const reply = (ends.get(deed.of) as Line & { replies: readonly Reply[] }).replies[deed.which];
      const takenAt = micros((reply as Reply & { at: number }).at) - origin;
      // What is told of requests and of tokens may come one after the other.
      for (const { amount, place, rule } of sharesOf(ask)) {
        const by = deed.by[amount];
        if (by !== 0) add({ ...span, what: "settle", place, rule, by, takenAt });
      }
    }
  }
  const parts = partsOf(all).filter((part) => !part.some((one) => unclear.has(one)));
  return { parts, operations: all.length, unanswered: unclear.size };
}

const micros = (ms: number): number => Math.round(ms * 1_000);

/** Before all that happened: in ns by the clock of the machine, in µs by the clock of the server. */
function beginning(logs: readonly Log[]): readonly [bigint, number] {
  let start: bigint | undefined;
  let origin = Infinity;
  for (const { lines } of logs) {
    for (const line of lines) {
      if (start === undefined || BigInt(line.at) < start) start = BigInt(line.at);
      if (!("replies" in line)) continue;
      for (const reply of line.replies)
        if ("admitted" in reply) origin = Math.min(origin, micros(reply.at) - 1);
    }
  }
  return [start ?? 0n, origin];
}

function placesOf(one: Happening): readonly string[] {
  if (one.what !== "decide") return [one.place];
  return one.asks.flatMap((ask) =>
    ask.kind === "permit" ? [permitsOf(ask)] : sharesOf(ask).map(({ place }) => place),
  );
}

/** A history is linearizable if each of its parts is that has nothing to do with the others. */
function partsOf(all: readonly Happening[]): readonly Part[] {
  const leaders = new Map<string, string>();
  const leaderOf = (place: string): string => {
    const next = leaders.get(place) ?? place;
    return next === place ? place : leaderOf(next);
  };
  for (const one of all) {
    const [first, ...rest] = placesOf(one) as [string, ...string[]];
    for (const place of rest) leaders.set(leaderOf(place), leaderOf(first));
  }
  const parts = new Map<string, Happening[]>();
  for (const one of all) {
    const leader = leaderOf(placesOf(one)[0] as string);
    const part = parts.get(leader);
    if (part === undefined) parts.set(leader, [one]);
    else part.push(one);
  }
  return [...parts.values()];
}

/** The one that has to do with this, such as `permits name key`. */
export function partWith({ parts }: History, place: string): Part {
  const found = parts.find((part) => part.some((one) => placesOf(one).includes(place)));
  if (found === undefined) throw new Error(`there is no ${place} in what is known`);
  return found;
}

export const check = (part: Part): Verdict<Happening> => linearize(part, limitsAndPermits);

/** What nobody can have seen, for whoever has to find out why. */
export function complaint({ stuck }: Verdict<Happening>): string {
  if (stuck === undefined) return "";
  return `after ${stuck.after} operations none of these can be the next, in the state ${stuck.state}:\n${stuck.open
    .map((one) => JSON.stringify(one))
    .join("\n")}`;
}
