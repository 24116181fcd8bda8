import {
  isPromise,
  type MaybePromise,
  type RateAdjustment,
  type RateAmounts,
  type RateLimitAsk,
  type RateLimitReply,
  type RateLimitStore,
  type RateRules,
} from "@breakwater/core";

import type { Context, Part, Pending } from "../decide/part.ts";
import type { Agreed } from "../presence/agreement.ts";
import { rateTerms } from "../presence/terms.ts";
import { createKnown } from "./known.ts";
import { createLocalLimits, type Spent } from "./local.ts";
import { createNumbers, limitsOf, MOST, type Numbers, type RateNumbers } from "./numbers.ts";
import { settleLua } from "./settle-lua.ts";
import { standingOf } from "./standing.ts";

/** Rate limits that many processes share. */
export interface RatePart
  extends Part<RateLimitAsk, RateLimitReply>, Pick<RateLimitStore, "settle" | "remaining"> {}

type Amount = keyof RateAmounts;

/**
 * Decides as the memory store of the core does, on the server's clock. A key that is not there is a limit of which
 * nothing is used: each lives until all of its limit is there again.
 *
 * While Redis is away each process goes by its share (`shareOf`), and begins with nothing. When it is back, what was
 * spent meanwhile is charged there: a process's share of the burst at most, for the rest has flowed back since, and never
 * more than there is, so that nobody waits for an outage that is over. What holds then, as far as the number of processes
 * is known: while all of them are without Redis, the limit among them; while only some are, twice the limit at most, and
 * until each of these has been charged, one burst more at most.
 */
export function createRatePart(context: Context): RatePart {
  const { link, scope, presence, agreement, outbox } = context;
  const numbersOf = createNumbers();
  const known = createKnown();
  const local = createLocalLimits(() => presence.instances);
  /** What holds, where others gave lower numbers. */
  const agreedUpon = new WeakMap<RateRules, RateRules>();
  link.onChange((up) => {
    if (up) recover();
  });

  function keyOf(name: string, key: string, amount: Amount): string {
    return scope.key(amount === "requests" ? "rr" : "rt", name, key);
  }

  function pendingOf(
    ask: RateLimitAsk,
    { config: rules, mismatch }: Agreed<RateRules>,
  ): Pending<RateLimitReply> {
    if (rules !== ask.limits) agreedUpon.set(ask.limits, rules);
    else if (mismatch !== undefined) agreedUpon.delete(rules); // the others are gone, or have come round
    const numbers = numbersOf(rules);
    const { shape, requests, tokens } = numbers;
    return {
      shape,
      write(keys, args) {
        const { name, key, cost } = ask;
        if (requests !== undefined) {
          keys.push(keyOf(name, key, "requests"));
          writeLimit(args, requests, cost.requests, key);
        }
        if (tokens !== undefined) {
          keys.push(keyOf(name, key, "tokens"));
          writeLimit(args, tokens, cost.tokens, key);
        }
      },
      read(values, at, taken) {
        recover();
        const reply = replyOf(numbers, ask, values, at, taken);
        known.note(ask.name, ask.key, rules, reply, ask.now);
        if (mismatch !== undefined) reply.mismatch = mismatch;
        return reply;
      },
      idle: () => ({ admitted: true, retryAfterMs: 0, at: 0, ...(mismatch && { mismatch }) }),
      // What was charged and perhaps not used stays charged: giving back what was never taken would be worse.
      lost: nothing,
    };
  }

  /** With the numbers that hold while nobody can be asked. */
  function asAgreed(ask: RateLimitAsk): RateLimitAsk {
    const limits = agreedUpon.get(ask.limits);
    return limits === undefined ? ask : { ...ask, limits };
  }

  /** Redis decides again: what was spent without it is charged, once it has said what it may have lost. */
  function recover(): void {
    const spent = local.end();
    if (spent.length > 0) chargeAll(spent).catch(nothing);
  }

  async function chargeAll(spent: readonly Spent[]): Promise<void> {
    await presence.ready();
    const processes = presence.instances;
    for (const one of spent) for (const amount of AMOUNTS) charge(one, amount, processes);
  }

  function charge({ ask, ...spent }: Spent, amount: Amount, processes: number): void {
    const numbers = numbersOf(ask.limits)[amount];
    if (numbers === undefined || spent[amount] <= 0) return;
    const most = Math.ceil(numbers.burst / processes);
    tell(ask, amount, numbers, Math.min(spent[amount], most), 0, true).catch(nothing);
  }

  function tell(
    { name, key }: RateLimitAsk,
    amount: Amount,
    { algorithm, limit, per, burst }: Numbers,
    by: number,
    takenAt: number,
    atMost: boolean,
  ): Promise<unknown> {
    const most = Math.max(-MOST, Math.min(MOST, by));
    const args = [most, takenAt, algorithm, limit, per, burst, atMost ? 1 : 0];
    return outbox.push({ name: "rate", keys: [keyOf(name, key, amount)], args });
  }

  async function settleAll(ask: RateLimitAsk, at: number, adjustment: RateAmounts): Promise<void> {
    await presence.ready();
    const numbers = numbersOf(ask.limits);
    const takenAt = Math.round(at * 1_000);
    const told: Promise<unknown>[] = [];
    for (const amount of AMOUNTS) {
      const limit = numbers[amount];
      if (limit !== undefined && adjustment[amount] !== 0)
        told.push(tell(ask, amount, limit, adjustment[amount], takenAt, false));
    }
    await Promise.all(told);
  }

  return {
    size(shape) {
      const limits = limitsOf(shape);
      const sum = (of: "args" | "values"): number => limits.reduce((all, limit) => all + limit[of], 0);
      return { keys: limits.length, args: sum("args"), values: sum("values") };
    },
    fragment(shape, place) {
      let { arg } = place;
      const limits = limitsOf(shape).map((limit, i) => {
        const at = { key: `KEYS[${place.key + i}]`, arg, id: `${place.id}${"ab"[i]}` };
        arg += limit.args;
        return { check: limit.check(at), take: limit.take(at), reply: limit.reply(at) };
      });
      const join = (of: "check" | "take" | "reply", by: string): string =>
        limits.map((limit) => limit[of]).join(by);
      return { check: join("check", "\n"), take: join("take", "\n"), reply: join("reply", ", ") };
    },
    begin(ask): MaybePromise<Pending<RateLimitReply>> {
      const agreed = agreement.on(rateTerms, ask.name, ask.limits, ask.version);
      return isPromise(agreed) ? agreed.then((later) => pendingOf(ask, later)) : pendingOf(ask, agreed);
    },
    local(ask) {
      const agreed = asAgreed(ask);
      const reply = local.decide(agreed);
      known.note(ask.name, ask.key, local.share(agreed.limits), reply, ask.now);
      return reply;
    },
    undo: local.undo,
    operations: { rate: settleLua },

    settle(ask: RateLimitAsk, reply: RateLimitReply, adjustment: RateAdjustment): MaybePromise<void> {
      const { admitted, source, at } = reply;
      if (!admitted || source === "open" || source === "closed") return undefined;
      if (source === "local") {
        if (local.settle(ask, reply, adjustment)) return undefined;
        // Granted before Redis was back, which was charged for it then: nothing comes back, and the rest is on top.
        adjustment = onTop(adjustment);
      }
      if (link.up) return settleAll(asAgreed(ask), at, adjustment);
      local.owe(asAgreed(ask), adjustment);
      return undefined;
    },
    remaining: known.remaining,
  };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const AMOUNTS = ["requests", "tokens"] as const;
const nothing = (): void => {};

function onTop({ requests, tokens, now }: RateAdjustment): RateAdjustment {
  return { requests: Math.max(0, requests), tokens: Math.max(0, tokens), now };
}

function writeLimit(
  args: (string | number)[],
  { algorithm, limit, per, burst, lifeMs }: Numbers,
  cost: number,
  key: string,
): void {
  // A limit for all is one key, which may live for longer than it must: that spares the server a tenth of the decision.
  // Limits for each are many, and most of them are of no interest a moment later.
  const life = key === "" ? lifeMs : 0;
  if (algorithm === "gcra") args.push(limit, per, burst, Math.min(MOST, cost), life);
  else args.push(limit, per, Math.min(MOST, cost));
}

function replyOf(
  { requests, tokens }: RateNumbers,
  { cost }: RateLimitAsk,
  values: readonly unknown[],
  at: number,
  taken: boolean,
): Writable<RateLimitReply> {
  const reply: Writable<RateLimitReply> = {
    admitted: true,
    retryAfterMs: 0,
    at: (values[1] as number) / 1_000,
  };
  let next = at;
  if (requests !== undefined) {
    reply.requests = standingOf(requests, values, next, taken ? undefined : cost.requests);
    reply.retryAfterMs = reply.requests.retryAfterMs;
    next += requests.values;
  }
  if (tokens !== undefined) {
    reply.tokens = standingOf(tokens, values, next, taken ? undefined : cost.tokens);
    reply.retryAfterMs = Math.max(reply.retryAfterMs, reply.tokens.retryAfterMs);
  }
  reply.admitted = reply.retryAfterMs === 0;
  return reply;
}
