// Adds up what scripts/count-reporter.mjs left in every package of the repository.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { workspaces } from "./workspaces.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folders = () => workspaces().map((folder) => join(root, folder));

/** One file for each run of a package's tests: some run on two lines of Node. */
function countsFiles(folder) {
  const results = join(folder, ".results");
  if (!existsSync(results)) return [];
  return readdirSync(results)
    .filter((file) => /^counts.*\.json$/.test(file))
    .map((file) => join(results, file));
}

/** Forgets earlier runs; turbo brings back the files of those results that still hold. */
export function clearCounts() {
  for (const file of folders().flatMap(countsFiles)) rmSync(file, { force: true });
}

/** `N passed, N failed`, and `, N skipped` where some were. */
export function countsLine() {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const file of folders().flatMap(countsFiles)) {
    const counts = JSON.parse(readFileSync(file, "utf8"));
    for (const key of Object.keys(sum)) sum[key] += counts[key];
  }
  const skipped = sum.skipped > 0 ? `, ${sum.skipped} skipped` : "";
  return `${sum.passed} passed, ${sum.failed} failed${skipped}`;
}
