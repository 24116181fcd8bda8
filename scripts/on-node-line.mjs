// Runs a program of node_modules/.bin on another line of Node: `node on-node-line.mjs 24 vitest run`. What needs a
// newer line than the one that most of the repository is developed on is tried this way.
import { spawnSync } from "node:child_process";
import { delimiter } from "node:path";

import { nodeFolder } from "./node-line.mjs";

const [line, command, ...args] = process.argv.slice(2);
const folder = nodeFolder(line);
if (!folder) {
  // In CI it must be there; a developer without a network loses this one check, and is told so.
  console.error(
    `No Node ${line} for this machine, so \`${command}\` was not run on it: set BREAKWATER_NODE_${line} to its path.`,
  );
  process.exit(process.env.CI ? 1 : 0);
}
const pathKey = Object.keys(process.env).find((key) => key.toUpperCase() === "PATH") ?? "PATH";
const env = {
  ...process.env,
  BREAKWATER_NODE_LINE: line,
  BREAKWATER_COUNTS: `counts-node-${line}`,
  [pathKey]: folder + delimiter + process.env[pathKey],
};
const found = spawnSync("node", ["-p", "process.versions.node"], { env, encoding: "utf8" }).stdout ?? "";
if (!found.startsWith(`${line}.`)) {
  console.error(`${folder} should hold Node ${line}, and \`node\` is ${found.trim() || "not there"}.`);
  process.exit(1);
}
const { status } = spawnSync(command, args, { stdio: "inherit", env, shell: process.platform === "win32" });
process.exit(status ?? 1);
