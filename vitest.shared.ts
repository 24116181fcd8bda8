import { fileURLToPath } from "node:url";

import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

// Imports between packages resolve to src/, so that no build is needed before a test. Not to what is meant for bundlers,
// which Node does not take: what it loads by itself would be another copy.
const conditions = ["@breakwater/source", ...defaultServerConditions.filter((one) => one !== "module")];

/** What the tests of every package have in common. */
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ["@breakwater/source"] } },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    environment: "node",
    // Not a measure of anything: it only ends what hangs, also on a machine that is busy with other things.
    testTimeout: 30_000,
    restoreMocks: true,
    unstubEnvs: true,
    // A package that has no behaviour yet has no tests yet; test/structure.test.ts asks for them once it has.
    passWithNoTests: true,
    reporters: ["default", fileURLToPath(new URL("scripts/count-reporter.mjs", import.meta.url))],
  },
});
