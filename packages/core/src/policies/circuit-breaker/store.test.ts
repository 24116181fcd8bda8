import { describe, it } from "vitest";

import { breakerStoreContract } from "../../../../testing/src/index.ts";
import { createMemoryBreakerStore } from "./store.ts";

describe("the breaker store in memory", () => {
  for (const { name, run } of breakerStoreContract({ create: () => createMemoryBreakerStore() }))
    it(name, run);
});
