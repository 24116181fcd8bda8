/** The latest numbers of each kind, and what most of them do not exceed. */
export interface Recent {
  add(kind: string, count: number): void;
  /** The smallest of the latest numbers that nine in ten do not exceed; undefined until ten are known. */
  p90(kind: string): number | undefined;
}

/** Fewer say little of their tenth part. */
const ENOUGH = 10;

interface Ring {
  readonly counts: number[];
  next: number;
  /** Worked out when it is asked for. */
  p90: number | undefined;
}

/**
 * @param size how many numbers of a kind are kept, at least ten
 * @param maxKinds kinds kept; the one that was not added to for longest begins anew
 */
export function createRecent(size: number, maxKinds: number): Recent {
  const rings = new Map<string, Ring>();
  return {
    add(kind, count) {
      if (!(count > 0 && count < Infinity)) return;
      const ring = rings.get(kind) ?? { counts: [], next: 0, p90: undefined };
      ring.counts[ring.next] = count;
      ring.next = (ring.next + 1) % size;
      ring.p90 = undefined;
      rings.delete(kind);
      rings.set(kind, ring);
      const [oldest] = rings.keys();
      if (rings.size > maxKinds && oldest !== undefined) rings.delete(oldest);
    },
    p90(kind) {
      const ring = rings.get(kind);
      if (ring === undefined || ring.counts.length < ENOUGH) return undefined;
      const { counts } = ring;
      return (ring.p90 ??= counts.toSorted((a, b) => a - b)[Math.ceil(0.9 * counts.length) - 1]);
    },
  };
}
