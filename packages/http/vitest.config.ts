import { defineProject, mergeConfig } from "vitest/config";

import shared from "../../vitest.shared.ts";

export default mergeConfig(
  shared,
  // The admin page is made of page/ before it is tested.
  defineProject({ test: { name: "http", globalSetup: ["./scripts/make-page.mjs"] } }),
);
