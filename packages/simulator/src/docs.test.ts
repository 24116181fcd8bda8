import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { meantFor } from "./cli/help.ts";
import { defaultCapacity, faults, scenarios } from "./index.ts";

/** A page of this package, with its tables as if they had not been aligned. */
function page(name: string): string {
  return readFileSync(new URL(`../${name}`, import.meta.url), "utf8").replaceAll(/ +\|/g, " |");
}

test.each(faults)("docs/faults.md says what $name does", ({ name, phase, params, summary }) => {
  const written = params.map(({ name: param, default: value = "" }) => {
    return `;${param}=${value === "" ? "…" : String(value)}`;
  });
  expect(page("docs/faults.md")).toContain(
    `| \`${name}${written.join("")}\` | ${phase} | ${summary.replaceAll("|", "\\|")} |`,
  );
});

test.each(Object.values(scenarios))("docs/scenarios.md says what $name does", (scenario) => {
  const row = `| \`${scenario.name}\` | ${scenario.summary} | ${meantFor(scenario)} |`;
  expect(page("docs/scenarios.md")).toContain(row);
});

test.each(Object.entries(defaultCapacity))(
  "docs/options.md knows capacity.%s and its default",
  (name, value) => {
    const shown = value >= 1000 ? value.toLocaleString("en").replaceAll(",", " ") : String(value);
    expect(page("docs/options.md")).toMatch(new RegExp(`\\| \`${name}\` \\|[^|]+\\| ${shown} \\|`));
  },
);

test("the front page can be read in one go, and its picture is small", () => {
  expect(page("README.md").split("\n").length).toBeLessThanOrEqual(200);
  for (const picture of ["docs/page.png", "docs/page-narrow.png"])
    expect(readFileSync(new URL(`../${picture}`, import.meta.url)).byteLength).toBeLessThan(200_000);
});
