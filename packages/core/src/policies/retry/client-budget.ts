import type { Call } from "../../call.ts";
import { type Any, chain, type MaybePromise } from "../../handler.ts";
import { readOptions } from "../../options.ts";
import { watchSource } from "../../source.ts";
import { type OutageMode, readStore, type StoreSource } from "../../store.ts";
import type { BudgetReply, BudgetStore } from "./budget-store.ts";
import { createRetryBudget, type RetryBudgetRules, USUAL_BUDGET } from "./budget.ts";

export interface RetryBudgetOptions {
  /** Retries that are always allowed, per second; of all who share the budget. @default 10 */
  readonly perSecond?: number;
  /** Further retries per call, while failures do not rise with our own load. @default 1 */
  readonly ratio?: number;
  /** What `ratio` shrinks to, by halves, while they do. @default 0.1 */
  readonly minRatio?: number;
  /** By which those who share a store find the same budget; required with a store that processes share. @default "retry-budget" */
  readonly name?: string;
  /** Where it is kept: in a store it is shared by all clients that give its name there. @default this client */
  readonly store?: BudgetStore;
  /** What is done while a shared store is away: `open` allows each retry, `closed` none. @default "local": this process's share */
  readonly outage?: OutageMode;
}

/** What a client's policies see of its budget. */
export interface ClientBudget {
  /** Call this when a call comes in, before any attempt. */
  onCall(now: number): void;
  /** Call this when an attempt's verdict is known; refusals and cancellations are neither. */
  onAttempt(failed: boolean, now: number): void;
  /** Takes one retry from the budget, if there is one; at once where it is in memory. */
  take(now: number, call: Call<Any>): MaybePromise<boolean>;
  snapshot(now: number): RetryBudgetSnapshot;
}

export interface RetryBudgetSnapshot {
  /** Retries that could be made now. */
  readonly available: number;
  readonly ratio: number;
  /** Over a shared store: where its last decision came from. */
  readonly source?: StoreSource;
}

export function createClientBudget(options: RetryBudgetOptions = {}): ClientBudget {
  const { name, rules, store, outage } = read(options);
  if (store === undefined) return own(rules);

  const budget = store.budget(name, rules, outage);
  const sources = store.shared === true ? watchSource("retry-budget", name) : undefined;
  return {
    onCall: (now) => budget.onCall(now),
    onAttempt: (failed, now) => budget.onAttempt(failed, now),
    take: (now, call) =>
      chain(budget.take(now), (reply: BudgetReply) => {
        sources?.replied(reply, call, now);
        return reply.granted;
      }),
    snapshot(now) {
      const known = { available: budget.available(now), ratio: budget.ratio };
      return sources?.last === undefined ? known : { ...known, source: sources.last };
    },
  };
}

/** The client's own, which is what most have: nothing stands between it and its callers. */
function own(rules: RetryBudgetRules): ClientBudget {
  const budget = createRetryBudget(rules);
  return Object.assign(budget, {
    snapshot: (now: number) => ({ available: budget.available(now), ratio: budget.ratio }),
  });
}

function read(options: RetryBudgetOptions) {
  const reader = readOptions("budget", options);
  const { store, outage } = readStore<BudgetStore>(reader, options, "budget");
  const rules: RetryBudgetRules = {
    perSecond: reader.number("perSecond", USUAL_BUDGET.perSecond),
    ratio: reader.number("ratio", USUAL_BUDGET.ratio),
    minRatio: reader.number("minRatio", USUAL_BUDGET.minRatio),
  };
  if (store === undefined && options.name !== undefined) {
    reader.fail("name says which budget of a store it is, and there is no store; leave it out.");
  }
  const name = reader.text("name", "retry-budget");
  reader.done();
  return { name, rules, store, outage };
}
