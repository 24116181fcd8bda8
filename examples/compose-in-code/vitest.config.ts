import { defineProject, mergeConfig } from "vitest/config";

import shared from "../../vitest.shared.ts";

// Processes one after another, and a thousand texts in small steps of time, on a machine that may be busy with others.
export default mergeConfig(
  shared,
  defineProject({ test: { name: "compose-in-code", testTimeout: 120_000 } }),
);
