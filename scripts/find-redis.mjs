// Finds a real redis-server for tests, benchmarks and chaos: the one that is named, the one on PATH, else Debian's own
// packages unpacked below .cache, which takes neither root nor a container. libfaketime, which lies to one process about
// the time, comes the same way. `node scripts/find-redis.mjs` says what there is.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { cacheFolder, inLibs, librariesOf, onPath, unpacked } from "./debian.mjs";

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
  // redis-server is a link to redis-check-rdb; that one is a file in its own right.
  return folder && tried(join(folder, "usr/bin/redis-server"), librariesOf(folder), "unpacked");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const redis = findRedis();
  const time = findFaketime();
  console.log(redis ? `redis-server ${redis.version} (${redis.source}): ${redis.path}` : NO_REDIS);
  console.log(time ? `libfaketime: ${time.path}` : "There is no libfaketime here.");
  if (!redis && !redisIsUnwanted()) process.exitCode = 1;
}
