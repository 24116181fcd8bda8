// A change of what is published needs a changeset. It can only be told where there is history to compare with.
import { spawnSync } from "node:child_process";

const git = (...args) => spawnSync("git", args, { encoding: "utf8" });
const commit = (ref) => git("rev-parse", "--verify", "--quiet", `${ref}^{commit}`).stdout?.trim();

const head = commit("HEAD");
const base = ["origin/main", "main"].find((ref) => commit(ref));
if (!head || !base) {
  console.log("No history to compare with: changesets are not checked.");
} else if (commit(base) === head) {
  console.log(`${base} is what is checked out: there is no change to describe.`);
} else if (git("merge-base", base, head).status !== 0) {
  console.log(`This clone does not reach back to ${base}: changesets are not checked.`);
} else {
  const { status } = spawnSync("changeset", ["status", `--since=${base}`], {
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  process.exitCode = status ?? 1;
}
