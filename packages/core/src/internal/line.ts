/** Somebody who waits; `leave()` takes him out wherever he stands. */
export interface Place<T> {
  readonly value: T;
  leave(): void;
}

/** A queue of several classes, each first come first served; leaving from the middle costs nothing. */
export interface Line<T> {
  readonly length: number;
  join(value: T, rank: number): Place<T>;
  /** Whose turn it is: the longest waiting of the first class that has anybody. */
  head(): Place<T> | undefined;
}

export function createLine<T>(ranks: number): Line<T> {
  // A Set keeps insertion order and deletes from the middle.
  const classes = Array.from({ length: ranks }, () => new Set<Place<T>>());
  let length = 0;
  return {
    get length() {
      return length;
    },
    join(value, rank) {
      const waiting = classes[Math.min(rank, ranks - 1)] as Set<Place<T>>;
      const place: Place<T> = {
        value,
        leave() {
          if (waiting.delete(place)) length--;
        },
      };
      waiting.add(place);
      length++;
      return place;
    },
    head() {
      for (const waiting of classes) for (const place of waiting) return place;
      return undefined;
    },
  };
}
