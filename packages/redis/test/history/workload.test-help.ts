import type { PermitAsk, RateAmounts, RateLimitAsk, RateRule, RateRules } from "@breakwater/core";

import type { Ask, Granted, Recorder } from "./record.test-help.ts";

/** What is asked for, together. */
interface Kind {
  readonly name: string;
  readonly keys: readonly string[];
  readonly limits?: RateRules;
  readonly permits?: number;
  /** Tokens that are asked for in one of twenty asks, at most: more than there are at any time. @default 60, as in others */
  readonly rarely?: number;
  /** Whether what was not used is given back, and what was used on top is taken. @default neither */
  readonly settles?: "back" | "both";
}

const gcra = (limit: number, perMs: number, burst: number): RateRule => ({
  algorithm: "gcra",
  limit,
  perMs,
  burst,
});
const window = (limit: number, perMs: number): RateRule => ({
  algorithm: "window",
  limit,
  perMs,
  burst: limit,
});

const HOUR = 3_600_000;

/**
 * Some flow back while a history lasts, on a machine that is not busy; of some there is never any more, however long it
 * takes. When something is settled is known to the server alone, and what is taken on top leaves a window by that time:
 * from windows it is only given back.
 */
const KINDS: readonly Kind[] = [
  {
    name: "bucket",
    keys: ["a", "b"],
    limits: { requests: gcra(30, 100, 12), tokens: gcra(3_001, 700, 500) },
    rarely: 900,
    settles: "both",
  },
  { name: "slow bucket", keys: [""], limits: { tokens: gcra(700, HOUR, 900) }, settles: "both" },
  {
    name: "window",
    keys: ["a", "b"],
    limits: { requests: window(12, 90), tokens: window(500, 110) },
    rarely: 900,
    settles: "back",
  },
  {
    name: "slow window",
    keys: [""],
    limits: { requests: window(30, HOUR), tokens: gcra(300, 50, 500) },
    settles: "back",
  },
  { name: "seats", keys: ["a", "b"], permits: 4 },
  {
    name: "account",
    keys: [""],
    limits: { requests: gcra(40, 100, 15), tokens: window(900, 150) },
    rarely: 1_500,
    permits: 6,
    settles: "back",
  },
];

export interface Choice {
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Whether there are windows: whoever is killed while he asks takes from them at a time that nobody knows. */
  readonly windows: boolean;
}

function kindsFor(windows: boolean): readonly Kind[] {
  if (windows) return KINDS;
  return KINDS.map((kind) => ({ ...kind, ...(kind.limits && { limits: asBuckets(kind.limits) }) }));
}

function asBuckets(limits: RateRules): RateRules {
  return Object.fromEntries(
    Object.entries(limits).map(([amount, rule]: [string, RateRule]) => [
      amount,
      { ...rule, algorithm: "gcra" },
    ]),
  );
}

function asksOf(
  kind: Kind,
  key: string,
  cost: RateAmounts,
  part: "rate" | "permit" | "both",
): readonly Ask[] {
  const { name, limits, permits } = kind;
  const about = { name, key, outage: "closed", version: 0 } as const;
  const asks: Ask[] = [];
  if (permits !== undefined && part !== "rate")
    asks.push({ kind: "permit", limit: permits, ...about } satisfies PermitAsk);
  if (limits !== undefined && part !== "permit")
    asks.push({ kind: "rate-limit", limits, cost, now: 0, ...about } satisfies RateLimitAsk);
  return asks;
}

/** Asks for nothing of each limit, and for one of each kind of permits: when all is over, that tells what was counted. */
export function lastLooks(windows: boolean): readonly (readonly Ask[])[] {
  return kindsFor(windows).flatMap((kind) =>
    kind.keys.flatMap((key) =>
      (["rate", "permit"] as const)
        .map((part) => asksOf(kind, key, { requests: 0, tokens: 0 }, part))
        .filter(({ length }) => length > 0),
    ),
  );
}

/** Somebody who asks, and gives back, a number of times, one after the other, in an order of his own. */
export async function use(recorder: Recorder, steps: number, { random, windows }: Choice): Promise<void> {
  const kinds = kindsFor(windows);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const open: { readonly kind: Kind; readonly granted: Granted }[] = [];
  const ending: Promise<void>[] = [];

  async function end(): Promise<void> {
    const [{ kind, granted }] = open.splice(Math.floor(random() * open.length), 1) as [(typeof open)[0]];
    const [sent, used] = [random() < 0.5, random()];
    for (const [which, ask] of granted.asks.entries()) {
      if (ask.kind === "permit") ending.push(recorder.release(granted, which));
      else if (kind.settles !== undefined) {
        const most = kind.settles === "both" ? 1.6 : 1;
        const by = {
          requests: ask.limits.requests === undefined || sent ? 0 : -1,
          tokens: ask.limits.tokens === undefined ? 0 : Math.round((used * most - 1) * ask.cost.tokens),
        };
        if (by.requests !== 0 || by.tokens !== 0) ending.push(recorder.settle(granted, which, by));
      }
    }
    // Otherwise the next decision overtakes it, perhaps.
    if (random() < 0.5) await Promise.all(ending.splice(0));
  }

  for (let step = 0; step < steps; step++) {
    if (open.length > 2 || (open.length > 0 && random() < 0.35)) await end();
    else {
      const kind = pick(kinds);
      const both = kind.limits !== undefined && kind.permits !== undefined;
      const part = both ? pick(["both", "both", "rate", "permit"] as const) : "both";
      const cost = {
        requests: 1,
        tokens: 1 + Math.floor(random() * (random() < 0.05 ? (kind.rarely ?? 60) : 60)),
      };
      const granted = await recorder.decide(asksOf(kind, pick(kind.keys), cost, part));
      if (granted !== undefined) open.push({ kind, granted });
    }
  }
  while (open.length > 0) await end();
  await Promise.all(ending);
}
