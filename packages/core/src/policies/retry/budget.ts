/** The numbers of a budget. */
export interface RetryBudgetRules {
  /** Retries that are always allowed, per second. */
  readonly perSecond: number;
  /** Further retries per call, while failures do not rise with our own load. */
  readonly ratio: number;
  /** What `ratio` shrinks to, by halves, while they do. */
  readonly minRatio: number;
}

export const USUAL_BUDGET: RetryBudgetRules = { perSecond: 10, ratio: 1, minRatio: 0.1 };

/** Where a budget begins. */
export interface RetryBudgetStart {
  /** @default one second's worth */
  readonly tokens?: number;
  /** @default the widest */
  readonly ratio?: number;
}

/**
 * How many retries and hedges may be made in all. A token bucket: each call adds `ratio` tokens, each second
 * adds `perSecond`, a retry takes one, and nothing is saved for longer than ten seconds.
 *
 * Wide on purpose: when an upstream fails half of its calls at random, every retry that is not made is an answer
 * that is lost. It narrows only when there is a sign that we are the cause: calls came in faster than in the period
 * before, and more of them failed. Then each period halves the ratio, and each quiet one gives a tenth back.
 *
 * Time begins for it when it first hears of it, so that one made late is no richer than one made early.
 */
export interface RetryBudget {
  /** Call this when a call comes in, before any attempt. */
  onCall(now: number): void;
  /** Call this when an attempt's verdict is known; refusals and cancellations are neither. */
  onAttempt(failed: boolean, now: number): void;
  /** Takes one retry from the budget, if there is one. */
  take(now: number): boolean;
  readonly ratio: number;
  /** Retries that could be made now. */
  available(now: number): number;
  /** Other numbers from now on. What was saved and how far it has narrowed stays. */
  configure(rules: RetryBudgetRules): void;
}

const PERIOD_MS = 10_000;
/** Fewer attempts in a period say nothing about cause. */
const ENOUGH = 50;

export function createRetryBudget(
  rules: Partial<RetryBudgetRules> = {},
  start: RetryBudgetStart = {},
): RetryBudget {
  let { perSecond, ratio: widest, minRatio: narrowest } = { ...USUAL_BUDGET, ...rules };
  narrowest = Math.min(narrowest, widest);
  let ratio = Math.max(narrowest, Math.min(widest, start.ratio ?? widest));
  // In an object: a captured variable that holds a fraction is allocated anew at every change.
  const bucket = { tokens: start.tokens ?? perSecond, refilledAt: -1 };
  let period = { startedAt: 0, calls: 0, attempts: 0, failures: 0 };
  let before: typeof period | undefined;

  function advance(now: number): void {
    if (bucket.refilledAt < 0) bucket.refilledAt = period.startedAt = now;
    const elapsed = Math.max(0, now - bucket.refilledAt);
    bucket.refilledAt = now;
    // The cap also holds what calls of the last period brought, so that a burst of failures can use it.
    const cap = perSecond * (PERIOD_MS / 1_000) + ratio * Math.max(period.calls, before?.calls ?? 0);
    bucket.tokens = Math.min(cap, bucket.tokens + (elapsed / 1_000) * perSecond);
    if (now - period.startedAt >= PERIOD_MS) turn(now);
  }

  function turn(now: number): void {
    const comparable = before !== undefined && before.attempts >= ENOUGH && period.attempts >= ENOUGH;
    if (comparable && before !== undefined) {
      const faster = period.calls > before.calls * 1.2;
      const worse = period.failures / period.attempts > before.failures / before.attempts + 0.1;
      ratio = faster && worse ? Math.max(narrowest, ratio / 2) : Math.min(widest, ratio + widest / 10);
    }
    before = period;
    period = { startedAt: now, calls: 0, attempts: 0, failures: 0 };
  }

  return {
    onCall(now) {
      advance(now);
      period.calls++;
      bucket.tokens += ratio;
    },
    onAttempt(failed, now) {
      advance(now);
      period.attempts++;
      if (failed) period.failures++;
    },
    take(now) {
      advance(now);
      if (bucket.tokens < 1) return false;
      bucket.tokens--;
      return true;
    },
    get ratio() {
      return ratio;
    },
    available(now) {
      advance(now);
      return Math.floor(bucket.tokens);
    },
    configure(next) {
      narrowest = Math.min(next.minRatio, next.ratio);
      if (next.ratio !== widest) ratio = widest === 0 ? next.ratio : (ratio / widest) * next.ratio;
      ratio = Math.max(narrowest, ratio);
      ({ perSecond, ratio: widest } = next);
    },
  };
}
