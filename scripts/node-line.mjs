// Other lines of Node than the one that runs, from the registry's node packages: they have no install scripts, and npm
// checks what it downloads. They stay out of package.json because the last one installed would take the name `node`.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const windows = process.platform === "win32";

/** One exact version for each supported line. */
export const NODE_VERSIONS = { 20: "20.20.2", 22: "22.23.3", 24: "24.21.0", 26: "26.10.0" };

const PLATFORMS = { win32: "win", "darwin-arm64": "bin-darwin" };

/** Puts an exact version from the registry below .cache and returns its .bin folder, or undefined if it cannot be had. */
export function fetched(name, version, as, { env = process.env, flags = [] } = {}) {
  const prefix = join(root, ".cache", as, version);
  const bin = join(prefix, "node_modules", ".bin");
  if (existsSync(join(prefix, ".done"))) return bin;
  // Made aside and moved into place: two tasks may ask for it at once, and neither may see half of it.
  const own = `${prefix}.${process.pid}`;
  mkdirSync(own, { recursive: true });
  const quiet = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = spawnSync(
    "npm",
    ["install", "--prefix", own, ...quiet, ...flags, `${name}@${version}`],
    {
      cwd: own,
      stdio: ["ignore", "ignore", "inherit"],
      shell: windows,
      env,
    },
  );
  const done = (folder) => existsSync(join(folder, ".done"));
  if (status === 0 && !done(prefix)) {
    writeFileSync(join(own, ".done"), "");
    rmSync(prefix, { recursive: true, force: true }); // half of one, from a run that was ended
    try {
      renameSync(own, prefix);
    } catch {
      // Somebody else was faster.
    }
  }
  rmSync(own, { recursive: true, force: true });
  return done(prefix) ? bin : undefined;
}

/**
 * The folder that holds the `node` of a line: that of the running one if it is of this line, that of BREAKWATER_NODE_24
 * and the like if given, else a downloaded one. Undefined if there is none for this machine.
 */
export function nodeFolder(line, env = process.env) {
  if (process.versions.node.split(".")[0] === String(line)) return dirname(process.execPath);
  const given = env[`BREAKWATER_NODE_${line}`];
  if (given) return dirname(given);
  const { platform, arch } = process;
  const name = `node-${PLATFORMS[`${platform}-${arch}`] ?? PLATFORMS[platform] ?? platform}-${arch}`;
  return fetched(name, NODE_VERSIONS[line], "node", { env, flags: ["--ignore-scripts"] });
}
