// Installs the tarballs that scripts/pack-check.mjs left, all of them together and outside of the repository, and uses
// them in each way that a user may: from ES modules and from CommonJS, from TypeScript as both, under Jest in a CommonJS
// project, and in a Nest application as `nest new` makes it; on the oldest line of Node and on the one that most people
// have.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { nodeFolder } from "./node-line.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const windows = process.platform === "win32";
const json = (path) => JSON.parse(readFileSync(path, "utf8"));

const folders = readdirSync(join(root, "packages"));
const manifests = folders.map((folder) => json(join(root, "packages", folder, "package.json")));
const tarballs = Object.fromEntries(
  folders.map((folder, i) => {
    const packed = join(root, "packages", folder, ".results", "pack");
    return [manifests[i].name, `file:${join(packed, readdirSync(packed)[0])}`];
  }),
);
/** Every entry that a user may import. */
const names = manifests.flatMap(({ name, exports }) =>
  Object.keys(exports)
    .filter((entry) => entry !== "./package.json")
    .map((entry) => name + entry.slice(1)),
);

const LINES = [20, 24];
const nodes = LINES.map((line) => {
  const folder = nodeFolder(line);
  if (!folder) throw new Error(`no Node ${line} for this machine: set BREAKWATER_NODE_${line} to its path`);
  return { line, folder };
});

const work = realpathSync(mkdtempSync(join(tmpdir(), "breakwater-packed-")));
let failed = 0;

function attempt(what, command, args, { folder, cwd = work } = {}) {
  const path = folder ? folder + delimiter + process.env.PATH : process.env.PATH;
  const env = { ...process.env, PATH: path, PACKAGES: JSON.stringify(names) };
  // A Jest in which something is left open would never end.
  const result = spawnSync(command, args, { cwd, encoding: "utf8", env, shell: windows, timeout: 300_000 });
  console.log(`${result.status === 0 ? "ok    " : "FAILED"} ${what}`);
  if (result.status === 0) return;
  failed += 1;
  console.log(`${result.error ?? ""}${result.stdout}${result.stderr}`);
}

try {
  cpSync(join(root, "test", "packed"), work, { recursive: true });
  const project = json(join(work, "package.json"));
  Object.assign(project.dependencies, tarballs);
  writeFileSync(join(work, "package.json"), JSON.stringify(project));
  // A declaration that does not compile in a user's project is found here, so every one is looked at.
  for (const format of ["esm", "cjs"])
    writeFileSync(
      join(work, `ts-${format}`, "index.ts"),
      names
        .map((name, i) => `import * as p${i} from "${name}";\nexport const n${i}: object = p${i};\n`)
        .join(""),
    );

  // content-disposition is there at Koa's version, since @types/koa does not know the types that Express's brings.
  const quiet = ["--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts", "--loglevel=error"];
  execFileSync("npm", ["install", ...quiet], { cwd: work, stdio: "inherit", shell: windows });

  const modules = join(work, "node_modules");
  for (const compiler of ["typescript", "typescript5"])
    for (const format of ["esm", "cjs"]) {
      const { version } = json(join(modules, compiler, "package.json"));
      const args = [join(modules, compiler, "bin", "tsc"), "-p", `ts-${format}`];
      attempt(`TypeScript ${version}, ${format}`, process.execPath, args);
    }
  // A project of its own within this one: ts-jest needs a compiler that is still written in JavaScript.
  const nest = join(work, "nest-cjs");
  attempt("Nest 11 in CommonJS, types of its tests", "npm", ["run", "typecheck"], { cwd: nest });
  attempt("Nest 11 in CommonJS, build", "npm", ["run", "build"], { cwd: nest });
  for (const { line, folder } of nodes) {
    attempt(`Node ${line}, import`, "node", ["js-esm/index.js"], { folder });
    attempt(`Node ${line}, require`, "node", ["js-cjs/index.js"], { folder });
    const args = [join(modules, "jest", "bin", "jest.js"), "--ci", "--watchman=false"];
    attempt(`Node ${line}, Jest in a CommonJS project`, "node", args, {
      folder,
      cwd: join(work, "jest-cjs"),
    });
    attempt(`Node ${line}, Jest in a Nest 11 project`, "node", args, { folder, cwd: nest });
    const program = join(modules, ".bin", "breakwater-simulator");
    attempt(`Node ${line}, breakwater-simulator --help`, program, ["--help"], { folder });
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
if (failed > 0) process.exit(1);
