import type { RetryBudgetRules } from "@breakwater/core";

import type { Terms } from "../presence/agreement.ts";

/** The least of each number: nobody gives the fleet more retries than another process allows. */
export const budgetTerms: Terms<RetryBudgetRules> = {
  kind: "budget",
  fits: (config): config is RetryBudgetRules => {
    const { perSecond, ratio, minRatio } = (config ?? {}) as Partial<Record<string, unknown>>;
    return [perSecond, ratio, minRatio].every((one) => typeof one === "number" && one >= 0);
  },
  lower: (a, b) => ({
    perSecond: Math.min(a.perSecond, b.perSecond),
    ratio: Math.min(a.ratio, b.ratio),
    minRatio: Math.min(a.minRatio, b.minRatio),
  }),
  show: (rules) => ({ ...rules }),
};
