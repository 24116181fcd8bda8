/** A concurrency limit that follows refusals: pure arithmetic, told the time. */
export interface LimitConfig {
  /** Never above; where it starts. */
  readonly max: number;
  /** Never below. */
  readonly min: number;
  /** How long nothing may be refused before it grows again. */
  readonly calmMs: number;
}

export interface Limit {
  /** A whole number, from `min` to `max`. */
  readonly value: number;
  /** Whether nothing would be lost by forgetting it. */
  readonly idle: boolean;
  begin(): void;
  end(): void;
  /** The upstream had too much of us. `sentAt` is when the call left, `named` the limit that it was told. */
  refuse(now: number, sentAt: number, named?: number): void;
  succeed(now: number): void;
  /** Other bounds; what was learnt is kept within them. */
  configure(config: LimitConfig): void;
}

/** Below the limit that was named: others may use the account, and the number was true a moment ago. */
const HEADROOM = 0.9;
/** Without a number. Gentler than TCP's half: an answer runs for many seconds, and what is cut comes back slowly. */
const DECREASE = 0.7;

/**
 * Down at once, up step by step. One step is as many successes as the limit is large, which is about the time that
 * one answer takes; the first step adds 1, the second 2, and so on until the next refusal. A limit that is truly there
 * is so touched with a call or two; one that is gone is left behind within minutes, where steps of 1 would take hours.
 *
 * Source: additive increase, multiplicative decrease (Chiu and Jain 1989); the growing step is ours.
 */
export function createLimit(initial: LimitConfig): Limit {
  let config = initial;
  let value = config.max;
  let active = 0;
  let cutAt = -Infinity;
  let step = 0;
  let gained = 0;

  function set(next: number): void {
    value = Math.max(config.min, Math.min(config.max, Math.floor(next)));
  }

  return {
    get value() {
      return value;
    },
    get idle() {
      return active === 0 && value === config.max;
    },
    begin() {
      active++;
    },
    end() {
      active--;
    },
    refuse(now, sentAt, named) {
      // Sent before the last cut: it tells of the load that was cut, and everybody in that burst would cut again.
      const old = sentAt <= cutAt;
      const target = named === undefined ? undefined : named * HEADROOM;
      if (old && (target === undefined || target >= value)) return;
      // A limit that is not used up says nothing: what was too much is what was really out.
      set(target ?? Math.min(value, active) * DECREASE);
      cutAt = now;
      step = gained = 0;
    },
    succeed(now) {
      if (value >= config.max || now - cutAt < config.calmMs) return;
      // As long as half of it is free, a success does not show that there is room for more.
      if (active * 2 < value) return;
      if (++gained < value) return;
      gained = 0;
      set(value + ++step);
    },
    configure(next) {
      // One that was never cut follows its bound.
      const untouched = value === config.max;
      config = next;
      set(untouched ? next.max : value);
    },
  };
}
