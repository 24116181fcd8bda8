/** So much in so much time, and how much of it at once. */
export interface Rate {
  readonly limit: number;
  readonly perMs: number;
  /** What the bucket holds when it is full. */
  readonly burst: number;
}

/**
 * A token bucket: holds `burst`, refills by `limit` in `perMs`, and lets at most `burst + limit` pass in any span of
 * `perMs`. It is the generic cell rate algorithm (ITU-T I.371), which needs no timer and no log: a moment at which the
 * bucket was full and the whole number of tokens taken since say everything. Kept as those two rather than as the one
 * "theoretical arrival time", so that giving back is exact and nothing drifts, however long the bucket is in use.
 *
 * `now` must not go back. Who asks for more than the bucket holds gets it from a full bucket, which owes the rest.
 */
export class Bucket {
  #rate: Rate;
  /** Since when the refill is counted: it was full then, but for what the rate's last change left out. */
  #since: number;
  /** Taken since; the refill is not taken off. */
  #taken: number;
  #lastFull: number;

  constructor(rate: Rate, now: number, available: number = rate.burst) {
    this.#rate = rate;
    this.#since = now;
    this.#taken = rate.burst - available;
    this.#lastFull = this.#taken > 0 ? -Infinity : now;
  }

  /** What is in it stays in it, as far as it still fits: a new rate neither refills nor freezes. */
  configure(rate: Rate, now: number): void {
    const { limit, perMs, burst } = this.#rate;
    if (rate === this.#rate) return;
    if (rate.limit !== limit || rate.perMs !== perMs || rate.burst !== burst) {
      this.#refill(now);
      this.#taken = rate.burst - Math.min(this.available(now), rate.burst);
      this.#since = now;
    }
    this.#rate = rate;
  }

  /** The moment from which on `cost` may be taken, if nobody takes any before; it may have passed. */
  allowedAt(cost: number): number {
    const { limit, perMs, burst } = this.#rate;
    return this.#since + ((this.#taken - Math.max(0, burst - cost)) * perMs) / limit;
  }

  take(cost: number, now: number): void {
    this.#refill(now);
    this.#taken += cost;
  }

  /**
   * Gives back what was taken at `takenAt` and not used. What was taken before the bucket was last full would have
   * overflowed by then: it is gone, else it could be spent on top of the refill.
   */
  giveBack(amount: number, takenAt: number, now: number): void {
    this.#refill(now);
    if (takenAt >= this.#lastFull) this.#taken -= amount;
  }

  /** Negative while it owes. */
  available(now: number): number {
    const { limit, perMs, burst } = this.#rate;
    return Math.min(burst, burst - this.#taken + ((now - this.#since) * limit) / perMs);
  }

  fullAt(): number {
    const { limit, perMs } = this.#rate;
    return this.#since + (this.#taken * perMs) / limit;
  }

  #refill(now: number): void {
    if (now < this.fullAt()) return;
    this.#since = this.#lastFull = now;
    this.#taken = 0;
  }
}
