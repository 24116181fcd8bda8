// Finds a real Prometheus, and the promtool beside it, for tests of what it is told: the one that is named, the one on
// PATH, else Debian's own package unpacked below .cache, which takes neither root nor a container.
// `node scripts/find-prometheus.mjs` says what there is.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { onPath, unpacked } from "./debian.mjs";

export const NO_PROMETHEUS =
  "There is no Prometheus 2.40 or newer with its promtool here. Install one (`apt-get install prometheus`, " +
  "`brew install prometheus`), or set BREAKWATER_TEST_PROMETHEUS to the path of one; " +
  "BREAKWATER_TEST_PROMETHEUS=none skips what needs it.";

/** Whether somebody has said that there shall be no Prometheus. */
export const prometheusIsUnwanted = (env = process.env) => env.BREAKWATER_TEST_PROMETHEUS === "none";

/** @returns {import("./find-prometheus.d.mts").FoundPrometheus | undefined} */
export function findPrometheus(env = process.env) {
  if (prometheusIsUnwanted(env)) return undefined;
  const given = env.BREAKWATER_TEST_PROMETHEUS;
  if (given) return tried(given, "given");
  const own = onPath("prometheus", env);
  return (own && tried(own, "path")) ?? unpackedPrometheus(env);
}

/** Two programs of one version. Without one of them, or when it is too old for what tests ask of it, it is none. */
function tried(path, source) {
  const promtool = join(dirname(path), "promtool");
  const version = versionOf(path, "prometheus");
  if (!version || versionOf(promtool, "promtool") !== version) return undefined;
  const [major, minor] = version.split(".").map(Number);
  return major > 2 || (major === 2 && minor >= 40) ? { path, promtool, version, source } : undefined;
}

/** Older ones say it on standard error. */
function versionOf(path, name) {
  const { stdout, stderr } = spawnSync(path, ["--version"], { encoding: "utf8" });
  return new RegExp(`^${name}, version (\\d+\\.\\d+\\.\\d+)`, "m").exec(
    `${stdout ?? ""}\n${stderr ?? ""}`,
  )?.[1];
}

/** What its package stands on is for its pages, which nobody looks at here. */
function unpackedPrometheus(env) {
  const folder = unpacked("prometheus", ["prometheus"], env);
  return folder && tried(join(folder, "usr/bin/prometheus"), "unpacked");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = findPrometheus();
  console.log(found ? `Prometheus ${found.version} (${found.source}): ${found.path}` : NO_PROMETHEUS);
  if (!found && !prometheusIsUnwanted()) process.exitCode = 1;
}
