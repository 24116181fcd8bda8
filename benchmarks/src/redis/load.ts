import type { RedisSubject } from "./subject.ts";

/** What so many calls under way at once came to. */
export interface Load {
  readonly calls: number;
  readonly ms: number;
  /** Of one call, in ms. */
  readonly p50: number;
  readonly p99: number;
  /** Of this process, in µs: its garbage collector's threads included. */
  readonly cpu: number;
}

/** Keeps `inFlight` calls under way for so long: as soon as one is through the next is made. */
export async function load({ call }: RedisSubject, inFlight: number, ms: number): Promise<Load> {
  const took: number[] = [];
  let made = 0;
  const before = process.cpuUsage();
  const begin = performance.now();
  const end = begin + ms;
  async function lane(): Promise<void> {
    for (let at = performance.now(); at < end;) {
      await call(made++);
      const now = performance.now();
      took.push(now - at);
      at = now;
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane));
  const whole = performance.now() - begin;
  const { user, system } = process.cpuUsage(before);
  const sorted = Float64Array.from(took).toSorted();
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  return { calls: took.length, ms: whole, p50: at(0.5), p99: at(0.99), cpu: user + system };
}
