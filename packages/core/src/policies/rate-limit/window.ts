/** So much in any span of so long. */
export interface WindowRate {
  readonly limit: number;
  readonly perMs: number;
}

interface Entry {
  /** When its first was taken, … */
  readonly from: number;
  /** … and its last. All of it leaves the window when that does. */
  at: number;
  cost: number;
}

/** Entries that a window is made of at most. */
const GRAINS = 64;

/**
 * A sliding window: never more than `limit` in any span of `perMs` (from a moment on until just before the moment
 * `perMs` later). Kept as a log, so that it is exact where takes are rare; takes within the same 64th of the window
 * share an entry and leave the window together, with the last of them. So memory does not grow with the limit, and the
 * error is on the safe side alone: what was taken counts up to `perMs / 64` too long, never too short.
 *
 * `now` must not go back. Who asks for more than the limit gets it from an empty window, which is in debt then.
 */
export class SlidingWindow {
  #rate: WindowRate;
  readonly #entries: Entry[] = [];
  #used = 0;

  constructor(rate: WindowRate, now: number, available: number = rate.limit) {
    this.#rate = rate;
    this.take(rate.limit - available, now);
  }

  /** What was taken stays taken. */
  configure(rate: WindowRate): void {
    this.#rate = rate;
  }

  /** The moment from which on `cost` may be taken, if nobody takes any before; it may have passed. */
  allowedAt(cost: number, now: number): number {
    this.#forget(now);
    const { limit, perMs } = this.#rate;
    // More than the limit stays too much, and waits for the last to leave.
    let tooMuch = this.#used + cost - limit;
    let at = now;
    for (const entry of this.#entries) {
      if (tooMuch <= 0) break;
      tooMuch -= entry.cost;
      at = entry.at + perMs;
    }
    return at;
  }

  take(cost: number, now: number): void {
    this.#forget(now);
    if (cost === 0) return;
    this.#used += cost;
    const last = this.#entries.at(-1);
    if (last !== undefined && now - last.from < this.#rate.perMs / GRAINS) {
      last.cost += cost;
      last.at = now;
    } else this.#entries.push({ from: now, at: now, cost });
  }

  /** Gives back what was taken at `takenAt` and not used, unless it has left the window. */
  giveBack(amount: number, takenAt: number, now: number): void {
    this.#forget(now);
    const entry = this.#entries.findLast(({ from }) => from <= takenAt);
    if (entry === undefined) return;
    const given = Math.min(amount, entry.cost);
    entry.cost -= given;
    this.#used -= given;
  }

  /** Negative while it is in debt. */
  available(now: number): number {
    this.#forget(now);
    return this.#rate.limit - this.#used;
  }

  fullAt(now: number): number {
    this.#forget(now);
    const last = this.#entries.findLast(({ cost }) => cost > 0);
    return last === undefined ? now : last.at + this.#rate.perMs;
  }

  #forget(now: number): void {
    const { perMs } = this.#rate;
    let gone = 0;
    for (const entry of this.#entries) {
      if (now < entry.at + perMs) break;
      this.#used -= entry.cost;
      gone++;
    }
    if (gone > 0) this.#entries.splice(0, gone);
  }
}
