import { describe, it } from "vitest";

import { breakerStoreContract } from "../../../../testing/src/index.ts";
import { createMemoryBreakerStore } from "./store.ts";

describe("the breaker store in memory", () => {
  it.each(breakerStoreContract({ create: () => createMemoryBreakerStore() }))("$name", ({ run }) => run());
});
