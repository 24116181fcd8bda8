import {
  createMemoryRateLimitStore,
  type RateAdjustment,
  type RateAmounts,
  type RateLimitAsk,
  type RateLimitReply,
  type RateLimitStore,
  type RateRules,
} from "@breakwater/core";

import { createShares } from "./share.ts";

/** What this process let pass by its share of a key's limits. */
export interface Spent {
  readonly ask: RateLimitAsk;
  requests: number;
  tokens: number;
}

/** Limits while Redis is away: this process's share of them. */
export interface LocalLimits {
  /** The share of these limits. */
  share(limits: RateRules): RateRules;
  decide(ask: RateLimitAsk): RateLimitReply;
  undo(ask: RateLimitAsk, reply: RateLimitReply): void;
  /** @returns whether it was granted since Redis went away; else it is not known here any more */
  settle(ask: RateLimitAsk, reply: RateLimitReply, adjustment: RateAdjustment): boolean;
  /** Of a call that Redis had admitted: what it used on top cannot be told there at the moment. */
  owe(ask: RateLimitAsk, adjustment: RateAdjustment): void;
  /** Ends it: what was spent, to be charged to Redis. The next time begins anew, with nothing. */
  end(): readonly Spent[];
}

/** Keys kept at most; the one used longest ago is forgotten, and begins with nothing if it comes again. */
const MOST_KEYS = 10_000;

/**
 * Each key begins empty, so that Redis going away and coming back again and again lets no more pass than the refill.
 */
export function createLocalLimits(processes: () => number): LocalLimits {
  const shareOf = createShares();
  let spent = new Map<string, Spent>();
  let store: RateLimitStore | undefined;
  let since = 0;

  const share = (limits: RateRules): RateRules => shareOf(limits, processes());

  function open(now: number): RateLimitStore {
    if (store === undefined) {
      store = createMemoryRateLimitStore({ maxKeys: MOST_KEYS });
      since = now;
    }
    return store;
  }

  function spentOf(ask: RateLimitAsk, held: RateLimitStore): Spent {
    const id = idOf(ask);
    let one = spent.get(id);
    if (one === undefined) {
      const limits = share(ask.limits);
      // A new bucket is full, and gives all that it holds to who asks for as much.
      const all = { requests: limits.requests?.burst ?? 0, tokens: limits.tokens?.burst ?? 0 };
      void held.decide({ ...ask, limits, cost: all });
      if (spent.size >= MOST_KEYS) for (const oldest of spent.keys()) if (spent.delete(oldest)) break;
      one = { ask, requests: 0, tokens: 0 };
    } else spent.delete(id);
    spent.set(id, one);
    return one;
  }

  function add(one: Spent, amounts: RateAmounts): void {
    one.requests = Math.max(0, one.requests + amounts.requests);
    one.tokens = Math.max(0, one.tokens + amounts.tokens);
  }

  const local: LocalLimits = {
    share,
    decide(ask) {
      const held = open(ask.now);
      const one = spentOf(ask, held);
      const reply = held.decide({ ...ask, limits: share(ask.limits) }) as RateLimitReply; // in memory, at once
      if (reply.admitted) add(one, ask.cost);
      return reply;
    },
    undo(ask, reply) {
      const { requests, tokens } = ask.cost;
      local.settle(ask, reply, { requests: -requests, tokens: -tokens, now: ask.now });
    },
    settle(ask, reply, adjustment) {
      if (store === undefined || reply.at < since) return false;
      void store.settle(ask, reply, adjustment);
      const one = spent.get(idOf(ask));
      if (one !== undefined) add(one, adjustment);
      return true;
    },
    owe(ask, { requests, tokens, now }) {
      const owed = { requests: Math.max(0, requests), tokens: Math.max(0, tokens) };
      if (owed.requests === 0 && owed.tokens === 0) return;
      const held = open(now);
      add(spentOf({ ...ask, now }, held), owed);
      void held.settle(ask, { admitted: true, retryAfterMs: 0, at: now }, { ...owed, now });
    },
    end() {
      if (store === undefined) return NOTHING;
      const ended = [...spent.values()];
      spent = new Map();
      store = undefined;
      return ended;
    },
  };
  return local;
}

const NOTHING: readonly Spent[] = [];

/** No two pairs of a name and a key read the same. */
function idOf({ name, key }: RateLimitAsk): string {
  return `${name.length}:${name}${key}`;
}
