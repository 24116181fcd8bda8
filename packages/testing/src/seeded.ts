/**
 * Chance that repeats: the same seed gives the same numbers, uniform in [0, 1). The generator is mulberry32.
 *
 * @example
 * ```ts
 * import { seeded } from "@breakwater/testing";
 *
 * seeded(42)() === seeded(42)(); // => true
 * ```
 */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
