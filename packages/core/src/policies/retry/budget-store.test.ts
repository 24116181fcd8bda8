import { describe, it } from "vitest";

import { budgetStoreContract } from "../../../../testing/src/index.ts";
import { createMemoryBudgetStore } from "./budget-store.ts";

describe("the budget store in memory", () => {
  it.each(budgetStoreContract({ create: () => createMemoryBudgetStore() }))("$name", ({ run }) => run());
});
