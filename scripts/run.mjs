#!/usr/bin/env node
// The one door of the repository. It needs nothing but Node and its npm: it brings the pinned pnpm, installs when the
// lockfile changed, and hands over to turbo. `npm test`, `npm run demo`, `npm run scenarios`, `npm run chaos`,
// `npm run faults`, `npm run check`, `npm run bench` and `npm run test:nodes` all come here.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { clearCounts, countsLine } from "./counts.mjs";
import { chromiumIsUnwanted, findChromium, NO_CHROMIUM } from "./find-chromium.mjs";
import { findPrometheus, NO_PROMETHEUS, prometheusIsUnwanted } from "./find-prometheus.mjs";
import { findFaketime, findRedis, NO_REDIS, redisIsUnwanted } from "./find-redis.mjs";
import { fetched, nodeFolder, NODE_VERSIONS } from "./node-line.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [task = "test", ...rest] = process.argv.slice(2);
const windows = process.platform === "win32";

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19) || major === 21 || (major === 22 && minor < 12)) {
  console.error(`Node ${process.version} is too old: 20.19+, 22.12+ or newer is needed.`);
  process.exit(1);
}

// npm hands its own settings down in the environment, where they would change what pnpm does.
const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([key]) => !/^npm_/i.test(key) || /^npm_config_(registry|userconfig|cache)$/i.test(key),
  ),
);
Object.assign(env, { TURBO_TELEMETRY_DISABLED: "1", TURBO_NO_UPDATE_NOTIFIER: "1", DO_NOT_TRACK: "1" });
const pathKey = Object.keys(env).find((key) => key.toUpperCase() === "PATH") ?? "PATH";
const onPath = (folder, base = env) => ({ [pathKey]: folder + delimiter + base[pathKey] });

function run(command, args, extra = {}) {
  const options = { cwd: root, stdio: "inherit", shell: windows, ...extra };
  return spawnSync(command, args, { ...options, env: { ...env, ...extra.env } });
}

/** Goes on only if the command succeeded. */
function must(result) {
  if (result.error) console.error(result.error.message);
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** The pnpm on PATH if it is the pinned version, else a private copy. turbo, too, needs it on PATH. */
function bringPnpm() {
  const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const version = packageManager.replace(/^pnpm@|\+.*$/g, "");
  const found = run("pnpm", ["--version"], {
    stdio: ["ignore", "pipe", "ignore"],
    encoding: "utf8",
    env: { COREPACK_ENABLE_NETWORK: "0" },
  });
  if (found.stdout?.trim() === version) return;
  const folder = fetched("pnpm", version, "pnpm", { env });
  if (!folder) process.exit(1);
  Object.assign(env, onPath(folder));
}

/** Installs only when something changed that decides what stands in node_modules. */
function install() {
  const stamp = join(root, "node_modules", ".breakwater-install");
  const hash = createHash("sha256").update(process.platform + process.arch);
  for (const file of ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json"])
    hash.update(readFileSync(join(root, file)));
  const want = hash.digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === want) return;
  // The age of every entry was checked when the lockfile was written; asking the registry for all of them once more
  // costs a cold machine 15 s.
  must(run("pnpm", ["install", "--frozen-lockfile", "--trust-lockfile"]));
  writeFileSync(stamp, want);
}

/** Here, so that no test waits for a download. Without one the tests that need it fail, each with what to do. */
function bringRedis() {
  if (redisIsUnwanted(env)) return;
  const found = findRedis(env);
  findFaketime(env);
  // Results with one version say nothing about another; and nobody tries the download again today.
  Object.assign(
    env,
    found ? { BREAKWATER_TEST_REDIS_VERSION: found.version } : { BREAKWATER_TEST_NO_DOWNLOAD: "1" },
  );
  if (!found) console.error(NO_REDIS);
}

/** As Redis, for pages. Without one their tests are skipped, and say so. */
function bringChromium() {
  if (chromiumIsUnwanted(env)) return;
  const found = findChromium(env);
  Object.assign(
    env,
    found ? { BREAKWATER_TEST_CHROMIUM_VERSION: found.version } : { BREAKWATER_TEST_NO_DOWNLOAD: "1" },
  );
  if (!found) console.error(`${NO_CHROMIUM} The tests of pages are skipped.`);
}

/** As Chromium, for alerts and dashboards. */
function bringPrometheus() {
  if (prometheusIsUnwanted(env)) return;
  const found = findPrometheus(env);
  Object.assign(
    env,
    found ? { BREAKWATER_TEST_PROMETHEUS_VERSION: found.version } : { BREAKWATER_TEST_NO_DOWNLOAD: "1" },
  );
  if (!found) console.error(`${NO_PROMETHEUS} The tests that need it are skipped.`);
}

function turbo(tasks, { args = rest, ...extra } = {}) {
  const flags = ["--output-logs=new-only", "--log-order=grouped", "--concurrency=100%"];
  return run("turbo", ["run", ...tasks, ...flags, ...args], {
    ...extra,
    env: { BREAKWATER_NODE_LINE: String(major), ...extra.env },
  });
}

/** Runs tasks of which some are tests, and ends with the sum of the counts of all packages. */
function turboWithCounts(tasks, extra = {}) {
  clearCounts();
  const result = turbo(["--continue=dependencies-successful", ...tasks], extra);
  console.log(`\n${countsLine()}`);
  must(result);
}

/** Builds a program of this repository and what it depends on, without a word unless that fails. */
function build(name) {
  const result = turbo(["build", `--filter=${name}`], { args: [], stdio: "pipe", encoding: "utf8" });
  if (result.status !== 0) process.stderr.write(result.stdout + result.stderr);
  must(result);
}

/** File names that a program is given are relative to the folder that npm was called from. */
function start(program, node = process.execPath) {
  return run(node, [join(root, program), ...rest], {
    cwd: process.env.INIT_CWD ?? process.cwd(),
    shell: false,
  });
}

const TASKS = {
  test: () => turboWithCounts(["test"]),

  check() {
    const repository = ["//#format:check", "//#lint", "//#knip", "//#changeset:check"];
    turboWithCounts([...repository, "typecheck", "test", "test:newer", "build", "pack:check", "packed"]);
  },

  demo() {
    build("@breakwater-internal/demo");
    must(start("demo/dist/main.js"));
  },

  scenarios() {
    build("@breakwater-internal/scenarios");
    must(start("scenarios/dist/main.js"));
  },

  chaos() {
    build("@breakwater-internal/chaos");
    must(start("chaos/dist/main.js"));
  },

  // A test that writes what it sees: the table of docs/faults.md.
  faults: () =>
    must(run("pnpm", ["exec", "vitest", "run", "test/faults.test.ts", "-u"], { cwd: join(root, "compat") })),

  // On the oldest line that is supported and on the line that published figures are taken from.
  bench() {
    build("@breakwater-internal/benchmarks");
    for (const line of [20, 24]) {
      const folder = nodeFolder(line, env);
      if (!folder) {
        console.error(
          `No Node ${NODE_VERSIONS[line]} for this machine: set BREAKWATER_NODE_${line} to its path.`,
        );
        if (line === major) process.exit(1);
        continue;
      }
      must(start("benchmarks/dist/main.js", join(folder, windows ? "node.exe" : "node")));
    }
  },

  "test:nodes"() {
    for (const line of [22, 24, 26]) {
      const folder = nodeFolder(line, env);
      if (!folder) process.exit(1);
      console.log(`\n=== Node ${NODE_VERSIONS[line]}`);
      turboWithCounts(["test"], {
        env: { BREAKWATER_NODE_LINE: String(line), ...onPath(folder) },
      });
    }
  },
};

if (!Object.hasOwn(TASKS, task)) {
  console.error(`There is no task "${task}": it is one of ${Object.keys(TASKS).join(", ")}.`);
  process.exit(2);
}
bringPnpm();
Object.assign(env, onPath(join(root, "node_modules", ".bin")));
install();
if (["test", "check", "test:nodes", "bench", "chaos"].includes(task)) bringRedis();
if (["test", "check", "test:nodes"].includes(task)) {
  bringChromium();
  bringPrometheus();
}
TASKS[task]();
