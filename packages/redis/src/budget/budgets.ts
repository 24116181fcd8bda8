import type { BudgetStore } from "@breakwater/core";

import type { Context } from "../decide/part.ts";
import { createSharedBudget, type SharedBudget } from "./shared-budget.ts";

/** Retry budgets that processes share, by name. */
export function createBudgets(
  context: Pick<Context, "agreement" | "link" | "presence" | "scope">,
): BudgetStore["budget"] {
  const budgets = new Map<string, SharedBudget>();
  return (name, rules, outage = "local") => {
    let budget = budgets.get(name);
    if (budget === undefined) budgets.set(name, (budget = createSharedBudget(context, name, rules, outage)));
    else budget.configure(rules, outage);
    return budget;
  };
}
