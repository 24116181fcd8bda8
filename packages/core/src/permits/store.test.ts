import { describe, it } from "vitest";

import { permitStoreContract } from "../../../testing/src/index.ts";
import { createMemoryPermitStore } from "./store.ts";

describe("the permit store in memory", () => {
  it.each(permitStoreContract({ create: () => createMemoryPermitStore() }))("$name", ({ run }) => run());
});
