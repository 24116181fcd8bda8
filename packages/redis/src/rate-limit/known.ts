import type { RateAmounts, RateLimitReply, RateRule, RateRules, RateStanding } from "@breakwater/core";

/** How limits stood when this process asked about them last; for snapshots. */
export interface Known {
  note(name: string, key: string, rules: RateRules, reply: RateLimitReply, now: number): void;
  /** What is left by now if nobody else has taken any, for the `max` keys that were used last. */
  remaining(name: string, now: number, max: number): Readonly<Record<string, Partial<RateAmounts>>>;
}

interface Seen {
  readonly rules: RateRules;
  readonly reply: RateLimitReply;
  readonly now: number;
}

/** Policies, and keys of each, that are remembered: as many as a snapshot shows, with some to spare. */
const NAMES = 256;
const KEYS = 128;

export function createKnown(): Known {
  const names = new Map<string, Map<string, Seen>>();

  function keysOf(name: string): Map<string, Seen> {
    let keys = names.get(name);
    if (keys === undefined) {
      keys = new Map();
      makeRoom(names, NAMES);
      names.set(name, keys);
    }
    return keys;
  }

  return {
    note(name, key, rules, reply, now) {
      const keys = keysOf(name);
      if (!keys.delete(key)) makeRoom(keys, KEYS);
      keys.set(key, { rules, reply, now });
    },
    remaining(name, now, max) {
      const seen = [...(names.get(name) ?? [])].slice(-max);
      return Object.fromEntries(seen.map(([key, one]) => [key, leftOf(one, now)]));
    },
  };
}

/** The oldest goes. */
function makeRoom(map: Map<string, unknown>, most: number): void {
  if (map.size < most) return;
  const oldest = map.keys().next();
  if (oldest.done !== true) map.delete(oldest.value);
}

function leftOf({ rules, reply, now: then }: Seen, now: number): Partial<RateAmounts> {
  const passed = Math.max(0, now - then);
  const left: { -readonly [K in keyof RateAmounts]?: number } = {};
  if (rules.requests !== undefined && reply.requests !== undefined)
    left.requests = leftOfOne(rules.requests, reply.requests, passed);
  if (rules.tokens !== undefined && reply.tokens !== undefined)
    left.tokens = leftOfOne(rules.tokens, reply.tokens, passed);
  return left;
}

function leftOfOne({ algorithm, limit, perMs, burst }: RateRule, standing: RateStanding, ms: number): number {
  const { remaining, resetMs } = standing;
  if (ms >= resetMs) return burst;
  return algorithm === "gcra" ? Math.min(burst, Math.floor(remaining + (ms * limit) / perMs)) : remaining;
}
