// Writes src/admin/page.ts, which holds the admin page as strings: the package is shipped in two formats, works bundled, and
// so can read no file. Run by `pnpm install`, before the tests of this package, and by hand after a change:
//
//   node scripts/make-page.mjs
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "vite";

const folder = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(folder, "src", "admin", "page.ts");
const uplot = dirname(createRequire(import.meta.url).resolve("uplot/package.json"));

/** The modules below page/ as one script. */
async function script() {
  const built = await build({
    configFile: false,
    envDir: false,
    root: join(folder, "page"),
    logLevel: "warn",
    build: {
      write: false,
      target: "es2023",
      lib: { entry: "main.ts", name: "breakwater", formats: ["iife"] },
    },
  });
  const [{ output }] = [built].flat();
  return output[0].code;
}

/** No comments, and no more space than is needed. */
const smaller = (css) =>
  css
    .replaceAll(/\/\*[^]*?\*\//g, "")
    .replaceAll(/\s*([{};,])\s*|:\s+/g, (found, sign) => sign ?? ":")
    .replaceAll(";}", "}\n")
    .trim();

/** @returns the source text of src/admin/page.ts. */
export async function pageModule() {
  const own = (name) => readFileSync(join(folder, "page", name), "utf8");
  const theirs = (name) => readFileSync(join(uplot, name), "utf8");
  const { version } = JSON.parse(theirs("package.json"));
  const licence = `/*! uPlot ${version}, https://github.com/leeoniya/uPlot\n\n${theirs("LICENSE").trim()}\n*/\n`;
  const assets = {
    "index.html": own("index.html").replaceAll(/\n\s*/g, "\n"),
    "page.css": smaller(own("page.css")),
    "page.js": await script(),
    "uplot.css": theirs("dist/uPlot.min.css"),
    "uplot.js": licence + theirs("dist/uPlot.iife.min.js").replace(/^\/\*[^]*?\*\/\s*/, ""),
  };
  const written = Object.entries(assets).map(
    ([name, text]) => `  ${JSON.stringify(name)}: ${JSON.stringify(text)},`,
  );
  return `// Made by scripts/make-page.mjs of page/ and uPlot ${version}; not to be edited.

/** The files of the admin page, by name. */
export const assets: Readonly<Record<${Object.keys(assets)
    .map((name) => JSON.stringify(name))
    .join(" | ")}, string>> = {
${written.join("\n")}
};
`;
}

/** Writes it, unless it is right as it stands. The tests of this package begin with it. */
export async function setup() {
  const text = await pageModule();
  if (current() === text) return;
  mkdirSync(dirname(target), { recursive: true });
  // In one step: a test or a compiler may be reading it.
  const beside = `${target}.${process.pid}`;
  writeFileSync(beside, text);
  renameSync(beside, target);
}

function current() {
  try {
    return readFileSync(target, "utf8");
  } catch {
    return undefined;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await setup();
