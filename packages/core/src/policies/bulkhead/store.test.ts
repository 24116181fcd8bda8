import { describe, it } from "vitest";

import { permitStoreContract } from "../../../../testing/src/index.ts";
import { createMemoryPermitStore } from "./store.ts";

describe("the permit store in memory", () => {
  for (const { name, run } of permitStoreContract({ create: () => createMemoryPermitStore() })) it(name, run);
});
