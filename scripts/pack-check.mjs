// Packs the package in the working directory as it would be published, lets publint and are-the-types-wrong judge the
// tarball, and looks at what is in it. The tarball stays in .results/pack, where scripts/packed-install.mjs takes it.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

const shell = process.platform === "win32";
const { name } = JSON.parse(readFileSync("package.json", "utf8"));
const out = join(process.cwd(), ".results", "pack");
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
execFileSync("pnpm", ["pack", "--pack-destination", out], { stdio: ["ignore", "ignore", "inherit"], shell });

const [file] = readdirSync(out);
const tarball = join(out, file);
const files = execFileSync("tar", ["-tzf", tarball], { encoding: "utf8" }).trim().split("\n");
const manifest = JSON.parse(
  execFileSync("tar", ["-xzOf", tarball, "package/package.json"], { encoding: "utf8" }),
);

const problems = [];
const demand = (holds, problem) => {
  if (!holds) problems.push(problem);
};

const text = JSON.stringify(manifest);
demand(!text.includes("@breakwater/source"), "the source condition is for this repository alone");
demand(
  !/"(workspace|catalog):/.test(text),
  "workspace: and catalog: mean nothing to a user's package manager",
);
for (const program of Object.values(manifest.bin ?? {}))
  demand(files.includes(join("package", program)), `the program ${program} is missing`);

const WANTED = ["package.json", "README.md", "LICENSE", "src/index.ts", "dist/cjs/package.json"];
for (const format of ["esm", "cjs"]) WANTED.push(`dist/${format}/index.js`, `dist/${format}/index.d.ts`);
for (const path of WANTED) demand(files.includes(`package/${path}`), `${path} is missing`);
for (const path of files) {
  demand(/^package\/(dist\/|src\/|[^/]+$)/.test(path), `${path} has no business in the tarball`);
  demand(!/\.test[.-]|tsbuildinfo|\/(vitest|tsconfig)[^/]*$/.test(path), `${path} is for developers only`);
}

function judge(command, args) {
  const result = spawnSync(command, args, {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
    shell,
  });
  demand(result.status === 0, `${command} says:\n${result.stdout}${result.stderr}`);
}
judge("publint", ["run", "--strict", tarball]);
judge("attw", [tarball, "--no-emoji", "--no-color"]);

if (problems.length > 0) {
  console.error(`${name}:\n- ${problems.join("\n- ")}`);
  process.exit(1);
}
console.log(`${name}: ${files.length} files, and nothing to complain about`);
