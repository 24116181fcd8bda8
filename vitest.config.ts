import { defineConfig } from "vitest/config";

/** All packages in one process: for `npm run test:watch` and `npm run coverage`. */
export default defineConfig({
  test: {
    projects: [
      "packages/*",
      "examples/*",
      "demo",
      "benchmarks",
      "redis-server",
      "browser",
      "visitor",
      "frameworks",
      "frameworks/nest-11",
      "chaos",
      "compat",
      "test",
    ],
    coverage: {
      provider: "v8",
      include: ["packages/*/src/**/*.ts"],
      exclude: ["**/*.test.ts", "**/*.test-*.ts"],
      reporter: ["text-summary", "json-summary", "lcov"],
    },
  },
});
