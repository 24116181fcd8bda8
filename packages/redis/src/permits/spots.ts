import type { Scope } from "../keys.ts";
import type { Waiting } from "./waiting.ts";

/** Permits of one name and key, as far as this process has to do with them. */
export interface Spot {
  readonly name: string;
  readonly key: string;
  /** The set of permits in Redis. */
  readonly permits: string;
  /** As it was last asked for. */
  limit: number;
  /** Permits that this process holds, and whether Redis has been told of each. */
  readonly held: Map<string, boolean>;
  /** Permits that nobody holds and that Redis may know all the same, and since when. */
  readonly lost: Map<string, number>;
  /** One was taken where others were, or was refused: the next heartbeat keeps the set, and looks for what has lapsed. */
  used: boolean;
  /** When Redis was last told to keep the set for a while. */
  keptAt: number;
  /** While somebody waits. */
  waiting: Waiting | undefined;
}

export interface Spots extends Iterable<Spot> {
  readonly size: number;
  find(name: string, key: string): Spot | undefined;
  /** Makes it if need be. */
  at(name: string, key: string): Spot;
  permitsOf(name: string, key: string): string;
  /** Where nobody holds, misses or waits for anything, and nothing is to be kept. */
  forgetIdle(spot: Spot): void;
  of(name: string): Iterable<Spot>;
}

/** Bounded by itself: only what is in use is kept. */
export function createSpots(scope: Scope): Spots {
  const names = new Map<string, Map<string, Spot>>();
  let size = 0;

  const find = (name: string, key: string): Spot | undefined => names.get(name)?.get(key);

  const permitsOf = (name: string, key: string): string =>
    find(name, key)?.permits ?? scope.key("permits", name, key);

  return {
    get size() {
      return size;
    },
    find,
    permitsOf,
    at(name, key) {
      const known = find(name, key);
      if (known !== undefined) return known;
      const permits = scope.key("permits", name, key);
      const nobody = { held: new Map(), lost: new Map(), used: false, keptAt: -Infinity, waiting: undefined };
      const spot: Spot = { name, key, permits, limit: 1, ...nobody };
      let spots = names.get(name);
      if (spots === undefined) names.set(name, (spots = new Map()));
      spots.set(key, spot);
      size++;
      return spot;
    },
    forgetIdle({ name, key, held, lost, used, waiting }) {
      if (held.size > 0 || lost.size > 0 || used || waiting !== undefined) return;
      const spots = names.get(name);
      if (spots?.delete(key) !== true) return;
      size--;
      if (spots.size === 0) names.delete(name);
    },
    of: (name) => names.get(name)?.values() ?? [],
    *[Symbol.iterator]() {
      for (const spots of names.values()) yield* spots.values();
    },
  };
}
