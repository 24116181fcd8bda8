import { defineConfig } from "vitest/config";

import { workspaces } from "./scripts/workspaces.mjs";

/** All packages in one process: for `npm run test:watch` and `npm run coverage`. */
export default defineConfig({
  test: {
    projects: [...workspaces()],
    coverage: {
      provider: "v8",
      include: ["packages/*/src/**/*.ts"],
      exclude: ["**/*.test.ts", "**/*.test-*.ts"],
      reporter: ["text-summary", "json-summary", "lcov"],
    },
  },
});
