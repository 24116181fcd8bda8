import type { Scope } from "../keys.ts";
import type { Waiting } from "./waiting.ts";

/** Permits of one name and key, as far as this process has to do with them. */
export interface Spot {
  readonly name: string;
  readonly key: string;
  readonly keys: SpotKeys;
  /** As it was last asked for. */
  limit: number;
  /** Permits that this process holds, and whether Redis has been told of each. */
  readonly held: Map<string, boolean>;
  /** Permits that nobody holds and that Redis may know all the same, and since when. */
  readonly lost: Map<string, number>;
  /** While somebody waits. */
  waiting: Waiting | undefined;
}

/** The set of permits, and the line of those who wait for one. */
export type SpotKeys = readonly [permits: string, line: string];

export interface Spots extends Iterable<Spot> {
  readonly size: number;
  find(name: string, key: string): Spot | undefined;
  /** Makes it if need be. */
  at(name: string, key: string): Spot;
  keysOf(name: string, key: string): SpotKeys;
  /** Where nobody holds, misses or waits for anything. */
  forgetIdle(spot: Spot): void;
  of(name: string): Iterable<Spot>;
}

/** Bounded by itself: only what is in use is kept. */
export function createSpots(scope: Scope): Spots {
  const names = new Map<string, Map<string, Spot>>();
  let size = 0;

  const find = (name: string, key: string): Spot | undefined => names.get(name)?.get(key);

  function keysOf(name: string, key: string): SpotKeys {
    const known = find(name, key);
    if (known !== undefined) return known.keys;
    const permits = scope.key("permits", name, key);
    return [permits, lineKey(permits)];
  }

  return {
    get size() {
      return size;
    },
    find,
    keysOf,
    at(name, key) {
      const known = find(name, key);
      if (known !== undefined) return known;
      const keys = keysOf(name, key);
      const spot: Spot = { name, key, keys, limit: 1, held: new Map(), lost: new Map(), waiting: undefined };
      let spots = names.get(name);
      if (spots === undefined) names.set(name, (spots = new Map()));
      spots.set(key, spot);
      size++;
      return spot;
    },
    forgetIdle({ name, key, held, lost, waiting }) {
      if (held.size > 0 || lost.size > 0 || waiting !== undefined) return;
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

export const lineKey = (permits: string): string => `${permits}:line`;
