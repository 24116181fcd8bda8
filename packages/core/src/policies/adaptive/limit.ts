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
  /**
   * Takes a step up if one is due: nothing was refused for long enough, and all of the limit is used.
   *
   * @param waiting somebody waits, so it is, whatever is counted here: ended work may hold its place until it stops
   */
  grow(now: number, waiting?: boolean): void;
  /** When the next step is due at the earliest; Infinity at the top. */
  nextStepAt(): number;
  /** Other bounds; what was learnt is kept within them. */
  configure(config: LimitConfig): void;
}

/** Below the limit that was named: others may use the account, and the number was true a moment ago. */
const HEADROOM = 0.9;
/** Without a number. Gentler than TCP's half: an answer runs for many seconds, and what is cut comes back slowly. */
const DECREASE = 0.7;
/** Between two steps: long enough for a refusal, which comes within 200 ms, to be known before the next one. */
const STEP_MS = 1_000;

/**
 * Down at once, up step by step: by 1, then by 2, and so on until the next refusal. A limit that is truly there is so
 * touched with a call or two; one that is gone is left behind within a minute, where steps of 1 would take hours.
 *
 * Steps are due by time, not by success: places may be held by streams that have stalled, and then nothing succeeds
 * that could show that there is room.
 *
 * Source: additive increase, multiplicative decrease (Chiu and Jain 1989); the growing step is ours.
 */
export function createLimit(initial: LimitConfig): Limit {
  let config = initial;
  let value = config.max;
  let active = 0;
  let cutAt = -Infinity;
  let stepAt = Infinity;
  let step = 0;

  function set(next: number): void {
    value = Math.max(config.min, Math.min(config.max, Math.floor(next)));
    if (value === config.max) stepAt = Infinity;
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
      stepAt = now + config.calmMs;
      // A limit that is not used up says nothing: what was too much is what was really out.
      set(target ?? Math.min(value, active) * DECREASE);
      cutAt = now;
      step = 0;
    },
    grow(now, waiting = false) {
      if (now < stepAt || (active < value && !waiting)) return;
      stepAt = now + STEP_MS;
      set(value + ++step);
    },
    nextStepAt: () => stepAt,
    configure(next) {
      // One that was never cut follows its bound.
      const untouched = value === config.max;
      config = next;
      set(untouched ? next.max : value);
    },
  };
}
