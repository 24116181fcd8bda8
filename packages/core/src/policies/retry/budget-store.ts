import type { MaybePromise } from "../../handler.ts";
import type { OutageMode, StoreReply } from "../../store.ts";
import { createRetryBudget, type RetryBudget, type RetryBudgetRules } from "./budget.ts";

/** Whether a retry was taken. */
export interface BudgetReply extends StoreReply {
  readonly granted: boolean;
}

/** A budget in a store: as `RetryBudget`, over the sum of all that share it. Times are the asker's; a shared store goes by its own. */
export interface StoredBudget {
  onCall(now: number): void;
  onAttempt(failed: boolean, now: number): void;
  /** Answers in bounded time, also while the store is away. Does not reject. */
  take(now: number): MaybePromise<BudgetReply>;
  /** As far as this process knows. */
  readonly ratio: number;
  /** As far as this process knows. */
  available(now: number): number;
}

/** Holds retry budgets by name. */
export interface BudgetStore {
  /** Other processes take from the same budgets. Then they need a name, by which they are found. */
  readonly shared?: true;
  /**
   * The budget of that name. Given again with other rules, it goes by those. Where processes differ about them, a shared
   * store goes by the least of each number, and says so in a reply.
   *
   * @param outage what a shared store answers while it cannot be asked. @default "local"
   */
  budget(name: string, rules: RetryBudgetRules, outage?: OutageMode): StoredBudget;
}

/**
 * Budgets in this process, for several clients that put load on the same upstream.
 *
 * @example
 * ```ts
 * import { createClient, createMemoryBudgetStore, retry, upstream } from "@breakwater/core";
 *
 * const budget = { store: createMemoryBudgetStore(), name: "deepseek", perSecond: 5 };
 * const ask = createClient({ upstream: upstream(() => "one"), budget }, retry());
 * const tell = createClient({ upstream: upstream(() => "other"), budget }, retry());
 * await ask("anything");
 * tell.snapshot().retryBudget.available; // => 6
 * ```
 */
export function createMemoryBudgetStore(): BudgetStore {
  const budgets = new Map<string, { readonly held: RetryBudget; readonly stored: StoredBudget }>();
  return {
    budget(name, rules) {
      const known = budgets.get(name);
      if (known !== undefined) {
        known.held.configure(rules);
        return known.stored;
      }
      const held = createRetryBudget(rules);
      const stored: StoredBudget = {
        onCall: (now) => held.onCall(now),
        onAttempt: (failed, now) => held.onAttempt(failed, now),
        take: (now) => ({ granted: held.take(now) }),
        get ratio() {
          return held.ratio;
        },
        available: (now) => held.available(now),
      };
      budgets.set(name, { held, stored });
      return stored;
    },
  };
}
