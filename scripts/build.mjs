// Builds the package in the working directory. A published package is built twice, as ES modules and as CommonJS;
// a program of this repository once.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";

rmSync("dist", { recursive: true, force: true });

function tsc(project) {
  const { status } = spawnSync("tsc", ["-p", project], {
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) process.exit(status ?? 1);
}

tsc("tsconfig.build.json");

if (existsSync("tsconfig.build.cjs.json")) {
  tsc("tsconfig.build.cjs.json");
  // The package says "type": "module"; this file says otherwise for what stands beside it.
  mkdirSync("dist/cjs", { recursive: true });
  writeFileSync("dist/cjs/package.json", `${JSON.stringify({ type: "commonjs" })}\n`);
}

if (existsSync("dist/esm/bin.js")) chmodSync("dist/esm/bin.js", 0o755);
