// Finds a real redis-server for tests, benchmarks and chaos: the one that is named, the one on PATH, else Debian's own
// packages unpacked below .cache, which takes neither root nor a container. libfaketime, which lies to one process about
// the time, comes the same way. `node scripts/find-redis.mjs` says what there is.
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

export const NO_REDIS =
  "There is no redis-server 7.0 or newer here. Install one (`apt-get install redis-server`, `brew install redis`), " +
  "or set BREAKWATER_TEST_REDIS_SERVER to the path of one; BREAKWATER_TEST_REDIS=none skips what needs it.";

/** Whether somebody has said that there shall be no Redis. */
export const redisIsUnwanted = (env = process.env) => env.BREAKWATER_TEST_REDIS === "none";

/** @returns {import("./find-redis.d.mts").FoundRedis | undefined} */
export function findRedis(env = process.env) {
  if (redisIsUnwanted(env)) return undefined;
  const given = env.BREAKWATER_TEST_REDIS_SERVER;
  if (given) return tried(given, {}, "given");
  const own = onPath("redis-server", env);
  return (own && tried(own, {}, "path")) ?? unpackedRedis(env);
}

/** @returns {import("./find-redis.d.mts").FoundFaketime | undefined} */
export function findFaketime(env = process.env) {
  const given = env.BREAKWATER_TEST_FAKETIME;
  if (given) return existsSync(given) ? { path: given } : undefined;
  for (const libs of ["/usr/lib", join(cacheFolder("faketime"), "usr/lib")]) {
    const path = inLibs(libs, "faketime/libfaketime.so.1");
    if (path) return { path };
  }
  const folder = unpacked("faketime", ["libfaketime"], env);
  const path = folder && inLibs(join(folder, "usr/lib"), "faketime/libfaketime.so.1");
  return path ? { path } : undefined;
}

/** One that does not start, or is too old, is none. */
function tried(path, env, source) {
  const { stdout } = spawnSync(path, ["--version"], { env: { ...process.env, ...env }, encoding: "utf8" });
  const version = /v=(\d+\.\d+\.\d+)/.exec(stdout ?? "")?.[1];
  return version && Number(version.split(".")[0]) >= 7 ? { path, env, version, source } : undefined;
}

function unpackedRedis(env) {
  const folder = unpacked("redis", ["redis-server", "redis-tools"], env);
  if (!folder) return undefined;
  const libs = inLibs(join(folder, "usr/lib"), "");
  // redis-server is a link to redis-check-rdb; that one is a file in its own right.
  return tried(join(folder, "usr/bin/redis-server"), libs ? { LD_LIBRARY_PATH: libs } : {}, "unpacked");
}

function onPath(name, env = process.env) {
  return (env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

/** `usr/lib/x86_64-linux-gnu/<name>` and the like. */
function inLibs(libs, name) {
  if (!existsSync(libs)) return undefined;
  return readdirSync(libs)
    .filter((folder) => folder.includes("-linux-gnu"))
    .map((folder) => join(libs, folder, name))
    .find((path) => existsSync(path));
}

/** Below the repository; in the temporary files of whoever may not write there. */
function cacheFolder(name) {
  const here = join(root, ".cache", name);
  if (existsSync(here)) return here;
  try {
    const probe = join(root, ".cache", `.writable.${process.pid}`);
    mkdirSync(probe, { recursive: true });
    rmSync(probe, { recursive: true });
    return here;
  } catch {
    const own = join(tmpdir(), `breakwater-cache-${process.getuid?.() ?? "user"}`);
    mkdirSync(own, { recursive: true, mode: 0o700 });
    // The name can be guessed, and what stands in it is run: a folder of somebody else will not do.
    const { uid } = lstatSync(own);
    if (lstatSync(own).isSymbolicLink() || (process.getuid && uid !== process.getuid()))
      throw new Error(`${own} belongs to somebody else.`);
    return join(own, name);
  }
}

/** Debian's packages and the libraries that they name, below .cache/<name>; undefined if they cannot be had. */
function unpacked(name, packages, env) {
  const folder = cacheFolder(name);
  if (existsSync(folder)) return folder;
  if (env.BREAKWATER_TEST_NO_DOWNLOAD === "1" || process.platform !== "linux") return undefined;
  if (!onPath("apt-get") || !onPath("dpkg-deb")) return undefined;
  const free = lock(`${folder}.lock`, () => existsSync(folder));
  const own = `${folder}.${process.pid}`;
  try {
    if (existsSync(folder)) return folder;
    unpack(own, packages);
    // Made aside and moved into place: nobody ever sees half of it.
    renameSync(join(own, "root"), folder);
  } catch (error) {
    if (!existsSync(folder))
      console.warn(`${packages.join(" and ")} cannot be had: ${String(error.message).split("\n")[0]}`);
  } finally {
    rmSync(own, { recursive: true, force: true });
    free();
  }
  return existsSync(folder) ? folder : undefined;
}

function unpack(own, packages) {
  const state = join(own, "state");
  const debs = join(own, "debs");
  for (const each of [join(state, "lists/partial"), join(state, "cache/archives/partial"), debs])
    mkdirSync(each, { recursive: true });
  // apt with a state of its own: nothing of the system is locked or changed.
  const settings = {
    "Dir::State::Lists": join(state, "lists"),
    "Dir::Cache": join(state, "cache"),
    "Debug::NoLocking": "1",
    "APT::Sandbox::User": "",
    "Acquire::Languages": "none",
    "Acquire::Retries": "2",
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  const apt = (program, ...args) =>
    execFileSync(program, [...options, "-qq", ...args], {
      cwd: debs,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 120_000,
    });
  apt("apt-get", "update");
  const named = apt("apt-cache", "depends", "--important", ...packages).matchAll(/Depends: (lib[^\s:]+)/g);
  // What any system with Node has is not fetched again.
  const libraries = [...named]
    .map(([, library]) => library)
    .filter((library) => !/^lib(c6|gcc)/.test(library));
  apt("apt-get", "download", ...new Set([...packages, ...libraries]));
  for (const file of readdirSync(debs)) execFileSync("dpkg-deb", ["-x", join(debs, file), join(own, "root")]);
}

const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/** Spares several processes the same download; what makes it right is the move into place. @returns what gives it back */
function lock(path, isDone) {
  const LONGEST_MS = 180_000;
  mkdirSync(dirname(path), { recursive: true });
  while (!isDone()) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > LONGEST_MS) rmSync(path, { force: true }); // whoever held it was ended
      else pause(100);
    }
  }
  return () => {};
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const redis = findRedis();
  const time = findFaketime();
  console.log(redis ? `redis-server ${redis.version} (${redis.source}): ${redis.path}` : NO_REDIS);
  console.log(time ? `libfaketime: ${time.path}` : "There is no libfaketime here.");
  if (!redis && !redisIsUnwanted()) process.exitCode = 1;
}
