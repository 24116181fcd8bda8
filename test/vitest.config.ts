import { defineProject, mergeConfig } from "vitest/config";

import shared from "../vitest.shared.ts";

/** Tests about the repository as a whole: directions, structure, docs. */
export default mergeConfig(
  shared,
  defineProject({ root: import.meta.dirname, test: { name: "repository", include: ["**/*.test.ts"] } }),
);
