import {
  type BudgetReply,
  type ConfigMismatch,
  createRetryBudget,
  type OutageMode,
  type RetryBudget,
  type RetryBudgetRules,
  type StoredBudget,
} from "@breakwater/core";

import { LinkError } from "../connection/link.ts";
import type { Context } from "../decide/part.ts";
import { budgetScript } from "./arithmetic.ts";
import { budgetTerms } from "./terms.ts";

export interface SharedBudget extends StoredBudget {
  configure(rules: RetryBudgetRules, outage: OutageMode): void;
}

/** How often Redis is told what came in, if nobody wants a retry meanwhile. */
const TELL_EVERY_MS = 1_000;

interface Taker {
  readonly now: number;
  reply(reply: BudgetReply): void;
}

/**
 * Counts here and takes there. What comes in is told with the next retry that somebody wants, and otherwise once a
 * second, by the calls themselves: a budget has no timer, and one that is not used costs nothing.
 *
 * While Redis is away it goes by a budget of its own, with this process's share of what there is a second, and nothing
 * saved. What that spends beyond what its own calls bring is taken from the common one afterwards.
 */
export function createSharedBudget(
  { agreement, link, presence, scope }: Pick<Context, "agreement" | "link" | "presence" | "scope">,
  name: string,
  rules: RetryBudgetRules,
  outage: OutageMode,
): SharedBudget {
  const script = budgetScript();
  const keys = [scope.key("budget", name)];
  let news = { calls: 0, attempts: 0, failures: 0 };
  let owed = 0;
  let version = 0;
  let toldAt = -Infinity;
  let known = { available: Math.floor(rules.perSecond), ratio: rules.ratio };
  let own: RetryBudget | undefined;
  let mismatch: ConfigMismatch | undefined;
  /** Whoever wants a retry while the next message is prepared goes with it. */
  let takers: Taker[] = [];
  let preparing = false;

  async function send(): Promise<void> {
    if (preparing) return;
    preparing = true;
    const holds = await agreed();
    // Whoever comes from here on goes with the next message, which may be on its way before this one is answered.
    const mine = takers;
    takers = [];
    preparing = false;
    try {
      if (holds === undefined) throw new LinkError("Redis does not know this process", false);
      hear(await ask(holds, mine.length), mine);
    } catch {
      leave();
      for (const { now, reply } of mine) reply(apart(now));
    }
  }

  /** The numbers that hold; `undefined` if Redis does not say so. */
  async function agreed(): Promise<RetryBudgetRules | undefined> {
    try {
      await presence.ready();
      const { config, mismatch: differs } = await agreement.on(budgetTerms, name, rules, version);
      mismatch = differs ?? mismatch;
      return config;
    } catch {
      return undefined;
    }
  }

  /** Tells what came in, and asks for so many retries. */
  function ask({ perSecond, ratio, minRatio }: RetryBudgetRules, wanted: number): Promise<unknown> {
    const { calls, attempts, failures } = news;
    const told = [calls, attempts, failures, owed];
    news = { calls: 0, attempts: 0, failures: 0 };
    owed = 0;
    return link.run(script, keys, [presence.learnUntil, perSecond, ratio, minRatio, ...told, wanted]);
  }

  function hear(values: unknown, mine: readonly Taker[]): void {
    const [granted, available, ratio] = values as [number, number, string];
    known = { available, ratio: Number(ratio) };
    own = undefined;
    for (const [i, { reply }] of mine.entries()) {
      const told: BudgetReply = { granted: i < granted, source: "store" };
      reply(mismatch === undefined ? told : { ...told, mismatch });
      mismatch = undefined;
    }
  }

  /** Redis is away: from here on what comes in counts here. */
  function leave(): RetryBudget {
    news = { calls: 0, attempts: 0, failures: 0 };
    own ??= createRetryBudget(
      { ...rules, perSecond: rules.perSecond / presence.instances },
      { tokens: 0, ratio: known.ratio },
    );
    return own;
  }

  function apart(now: number): BudgetReply {
    if (outage !== "local") return { granted: outage === "open", source: outage };
    const granted = leave().take(now);
    if (granted) owed++;
    return { granted, source: "local" };
  }

  function tell(now: number): void {
    if (now - toldAt < TELL_EVERY_MS) return;
    toldAt = now;
    if (link.up) void send();
    else leave();
  }

  return {
    onCall(now) {
      if (own === undefined) news.calls++;
      else {
        own.onCall(now);
        owed = Math.max(0, owed - own.ratio);
      }
      tell(now);
    },
    onAttempt(failed, now) {
      if (own === undefined) {
        news.attempts++;
        if (failed) news.failures++;
      } else own.onAttempt(failed, now);
      tell(now);
    },
    take(now) {
      if (!link.up) return apart(now);
      toldAt = now;
      return new Promise((reply) => {
        takers.push({ now, reply });
        void send();
      });
    },
    get ratio() {
      return own?.ratio ?? known.ratio;
    },
    available: (now) => own?.available(now) ?? known.available,
    configure(next, mode) {
      outage = mode;
      if (
        next.perSecond === rules.perSecond &&
        next.ratio === rules.ratio &&
        next.minRatio === rules.minRatio
      )
        return;
      rules = next;
      version++;
      own?.configure({ ...next, perSecond: next.perSecond / presence.instances });
    },
  };
}
