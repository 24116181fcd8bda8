// A vitest reporter that leaves behind how many tests passed, failed and were skipped. turbo keeps the file with the
// task's result, so that scripts/run.mjs can add up the counts of packages whose result came from the cache.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export default class CountReporter {
  #root = process.cwd();

  onInit(vitest) {
    this.#root = vitest.config.root;
  }

  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      // A file that could not be loaded has no tests to count, and is a failure all the same.
      counts.failed += module.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        counts[state === "pending" ? "skipped" : state] += 1;
      }
    }
    const file = join(this.#root, ".results", `${process.env.BREAKWATER_COUNTS ?? "counts"}.json`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(counts)}\n`);
  }
}
