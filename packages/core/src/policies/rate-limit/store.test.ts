import { describe, it } from "vitest";

import { rateLimitStoreContract } from "../../../../testing/src/index.ts";
import { createMemoryRateLimitStore } from "./store.ts";

describe("the rate limit store in memory", () => {
  it.each(rateLimitStoreContract({ create: () => createMemoryRateLimitStore() }))("$name", ({ run }) =>
    run(),
  );
});
