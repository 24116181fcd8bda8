import { describe, it } from "vitest";

import { cacheStoreContract } from "../../../../testing/src/index.ts";
import { createMemoryCacheStore } from "./memory-store.ts";

describe("the cache store in memory", () => {
  it.each(cacheStoreContract({ create: () => createMemoryCacheStore() }))("$name", ({ run }) => run());
});
