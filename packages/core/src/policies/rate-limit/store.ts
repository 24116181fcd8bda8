import type { MaybePromise } from "../../handler.ts";
import { createKeyed, type Keyed } from "../../internal/keyed.ts";
import type { DecisionStore, StoreAsk, StoreReply } from "../../store.ts";
import { Bucket } from "./gcra.ts";
import { SlidingWindow } from "./window.ts";

/** One limit in numbers. */
export interface RateRule {
  readonly algorithm: "gcra" | "window";
  /** A whole number. */
  readonly limit: number;
  readonly perMs: number;
  /** What a token bucket holds; equal to `limit` for a window. */
  readonly burst: number;
}

/** What is limited; at least one of them. */
export interface RateRules {
  readonly requests?: RateRule;
  readonly tokens?: RateRule;
}

/** Whole numbers. */
export interface RateAmounts {
  readonly requests: number;
  readonly tokens: number;
}

/** Asks for `cost` of every limit in `limits` together: all of it, or nothing. */
export interface RateLimitAsk extends StoreAsk {
  readonly kind: "rate-limit";
  readonly name: string;
  readonly key: string;
  readonly limits: RateRules;
  readonly cost: RateAmounts;
  /** Monotonic ms of who asks. A store with a clock of its own, shared by all who ask, takes that. */
  readonly now: number;
}

/** How one limit stands: after an admission, or untouched by a refusal. Whole numbers. */
export interface RateStanding {
  /** Negative while more was used than reserved. */
  readonly remaining: number;
  /** 0: this limit is not in the way. */
  readonly retryAfterMs: number;
  /** Until all of it is there again, if nobody asks. */
  readonly resetMs: number;
}

export interface RateLimitReply extends StoreReply {
  readonly admitted: boolean;
  /** The least whole number of ms after which the same ask is admitted, if nobody else asks; 0 when it is. */
  readonly retryAfterMs: number;
  /** When it was decided, by the store's clock; for `settle`. */
  readonly at: number;
  readonly requests?: RateStanding;
  readonly tokens?: RateStanding;
}

/** What an admitted call came to beside its reservation: positive was used on top, negative was not used. */
export interface RateAdjustment extends RateAmounts {
  readonly now: number;
}

/**
 * Counts what passes. Keeps what there is left of a limit when its numbers change: a new limit neither refills nor
 * freezes. What is refused consumes nothing. A clock that goes back is one that stood still.
 */
export interface RateLimitStore extends DecisionStore<RateLimitAsk, RateLimitReply> {
  /** Once at most for an admission. What is given back after all of a limit was there again is gone. */
  settle(ask: RateLimitAsk, reply: RateLimitReply, adjustment: RateAdjustment): MaybePromise<void>;
  /** What is left, by key, for the `max` keys that were used last; for `snapshot()`. As far as this process knows. */
  remaining(name: string, now: number, max: number): Readonly<Record<string, Partial<RateAmounts>>>;
}

export interface MemoryRateLimitStoreOptions {
  /** Keys kept at most; those that have all of their limit again go first, then those not used for longest. @default 10_000 */
  readonly maxKeys?: number;
}

/**
 * Limits in this process. About 200 bytes for a key with one token bucket; a sliding window takes up to 4 kB.
 *
 * @example
 * ```ts
 * import { createMemoryRateLimitStore } from "@breakwater/core";
 *
 * const store = createMemoryRateLimitStore();
 * const requests = { algorithm: "gcra", limit: 1, perMs: 1_000, burst: 1 } as const;
 * const cost = { requests: 1, tokens: 0 };
 * const ask = { kind: "rate-limit", name: "r", key: "", limits: { requests }, cost, now: 0 } as const;
 * (await store.decide(ask)).admitted; // => true
 * (await store.decide({ ...ask, now: 400 })).retryAfterMs; // => 600
 * ```
 */
export function createMemoryRateLimitStore(options: MemoryRateLimitStoreOptions = {}): RateLimitStore {
  const { maxKeys = 10_000 } = options;
  const names = new Map<string, Keyed<Usages>>();
  let lastNow = 0;

  function usagesOf({ name, key, now }: RateLimitAsk): Usages {
    lastNow = now;
    let keys = names.get(name);
    if (keys === undefined) {
      keys = createKeyed(
        maxKeys,
        () => new Usages(lastNow),
        (usages) => usages.idle(lastNow),
      );
      names.set(name, keys);
    }
    return keys.get(key);
  }

  return {
    decide(ask) {
      const usages = usagesOf(ask);
      const time = usages.time(ask.now);
      return usages.admits(ask, time) ? usages.take(ask, time) : usages.reply(ask, ask.cost, time);
    },
    decideAll(asks) {
      const all = asks.map((ask) => {
        const usages = usagesOf(ask);
        const time = usages.time(ask.now);
        return { ask, usages, time, admitted: usages.admits(ask, time) };
      });
      const admitted = all.every((each) => each.admitted);
      return all.map(({ ask, usages, time }) =>
        admitted ? usages.take(ask, time) : usages.reply(ask, ask.cost, time),
      );
    },
    settle({ name, key }, { admitted, at }, adjustment) {
      if (admitted) names.get(name)?.peek(key)?.adjust(adjustment, at);
    },
    remaining(name, now, max) {
      const entries = [...(names.get(name)?.entries() ?? [])].slice(-max);
      return Object.fromEntries(entries.map(([key, usages]) => [key, usages.remaining(now)]));
    },
  };
}

type Usage = Bucket | SlidingWindow;

/** The limits of one key. */
class Usages {
  #requests: Usage | undefined = undefined;
  #tokens: Usage | undefined = undefined;
  #lastNow: number;
  /** What the clock went back by: added to it, time never does. */
  #behind = 0;

  constructor(now: number) {
    this.#lastNow = now;
  }

  /** The clock of this key, which never goes back. */
  time(now: number): number {
    if (now < this.#lastNow) this.#behind += this.#lastNow - now;
    this.#lastNow = now;
    return now + this.#behind;
  }

  admits({ limits, cost }: RateLimitAsk, time: number): boolean {
    let admitted = true;
    if (limits.requests !== undefined) {
      this.#requests = fit(this.#requests, limits.requests, time);
      admitted = this.#requests.allowedAt(cost.requests, time) <= time;
    }
    if (limits.tokens !== undefined) {
      this.#tokens = fit(this.#tokens, limits.tokens, time);
      admitted = this.#tokens.allowedAt(cost.tokens, time) <= time && admitted;
    }
    return admitted;
  }

  take(ask: RateLimitAsk, time: number): RateLimitReply {
    const { limits, cost } = ask;
    if (limits.requests !== undefined) this.#requests?.take(cost.requests, time);
    if (limits.tokens !== undefined) this.#tokens?.take(cost.tokens, time);
    return this.reply(ask, undefined, time);
  }

  /** How things stand for who asks for `cost`, or for who has got it. */
  reply({ limits, now }: RateLimitAsk, cost: RateAmounts | undefined, time: number): RateLimitReply {
    const requests = limits.requests && this.#standing(this.#requests as Usage, cost?.requests, now, time);
    const tokens = limits.tokens && this.#standing(this.#tokens as Usage, cost?.tokens, now, time);
    const retryAfterMs = Math.max(requests?.retryAfterMs ?? 0, tokens?.retryAfterMs ?? 0);
    const reply: { -readonly [K in keyof RateLimitReply]: RateLimitReply[K] } = {
      admitted: retryAfterMs === 0,
      retryAfterMs,
      at: time,
    };
    if (requests !== undefined) reply.requests = requests;
    if (tokens !== undefined) reply.tokens = tokens;
    return reply;
  }

  #standing(usage: Usage, cost: number | undefined, now: number, time: number): RateStanding {
    return {
      remaining: whole(usage.available(time)),
      retryAfterMs: cost === undefined ? 0 : msUntil(usage.allowedAt(cost, time), now, this.#behind),
      resetMs: msUntil(usage.fullAt(time), now, this.#behind),
    };
  }

  adjust(by: RateAdjustment, takenAt: number): void {
    const time = this.time(by.now);
    if (this.#requests !== undefined) adjust(this.#requests, by.requests, takenAt, time);
    if (this.#tokens !== undefined) adjust(this.#tokens, by.tokens, takenAt, time);
  }

  remaining(now: number): { -readonly [K in keyof RateAmounts]?: number } {
    const time = Math.max(now, this.#lastNow) + this.#behind;
    const left: { -readonly [K in keyof RateAmounts]?: number } = {};
    if (this.#requests !== undefined) left.requests = whole(this.#requests.available(time));
    if (this.#tokens !== undefined) left.tokens = whole(this.#tokens.available(time));
    return left;
  }

  /** Whether all of it is there: nothing is lost when it is forgotten. */
  idle(now: number): boolean {
    const time = now + this.#behind;
    return isFull(this.#requests, time) && isFull(this.#tokens, time);
  }
}

function isFull(usage: Usage | undefined, time: number): boolean {
  return usage === undefined || usage.fullAt(time) <= time;
}

function adjust(usage: Usage, amount: number, takenAt: number, time: number): void {
  if (amount > 0) usage.take(amount, time);
  else if (amount < 0) usage.giveBack(-amount, takenAt, time);
}

/** The usage under the rule that holds now. What is left stays, also when the algorithm is another one. */
function fit(usage: Usage | undefined, rule: RateRule, time: number): Usage {
  if (rule.algorithm === "gcra") {
    if (!(usage instanceof Bucket))
      return new Bucket(rule, time, usage && Math.min(rule.burst, usage.available(time)));
    usage.configure(rule, time);
  } else {
    if (!(usage instanceof SlidingWindow))
      return new SlidingWindow(rule, time, usage && Math.min(rule.limit, whole(usage.available(time))));
    usage.configure(rule);
  }
  return usage;
}

/** The least whole number of ms after which `at` has come; exact, whatever the sums round to. */
function msUntil(at: number, now: number, behind: number): number {
  let ms = Math.max(0, Math.ceil(at - (now + behind)));
  if (now + ms + behind < at) ms++;
  else if (ms > 0 && now + (ms - 1) + behind >= at) ms--;
  return ms;
}

function whole(amount: number): number {
  return Math.floor(amount + 1e-9); // a third three times is one
}
