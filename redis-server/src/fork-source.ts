import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { build, defaultServerConditions } from "vite";

/** Node's own modules, and packages with connections of their own to make: both majors of ioredis, for one. */
const OUTSIDE = /^(node:|ioredis5?$)/;

export interface Program {
  /** What was built, for a test that starts it in its own way: with a terminal, with pipes. */
  readonly file: string;
  /** Starts a process of it; `args` are its `process.argv.slice(2)`. It is killed when this process ends. */
  start(...args: readonly string[]): ChildProcess;
  /** Forgets what was built. */
  remove(): void;
}

/**
 * Makes a program of a TypeScript file of this repository, for tests that need several processes: everything that it
 * imports of this repository is put into one file, so nothing has to be built before a test. The file stands in the folder
 * of the package whose dependencies it uses, where it finds those.
 *
 * @example
 * ```ts
 * const program = await programOf(new URL("./holder.test-help.ts", import.meta.url));
 * const child = program.start(server.url, "3");
 * ```
 */
export async function programOf(entry: URL): Promise<Program> {
  const file = fileURLToPath(entry);
  const folder = mkdtempSync(join(fileURLToPath(new URL(".", entry)), ".program-"));
  await build({
    configFile: false,
    logLevel: "silent",
    resolve: { conditions: ["@breakwater/source", ...defaultServerConditions] },
    ssr: {
      resolve: { conditions: ["@breakwater/source", ...defaultServerConditions] },
      noExternal: [/^@breakwater/],
    },
    build: {
      ssr: file,
      outDir: folder,
      minify: false,
      target: "node20",
      rolldownOptions: { external: OUTSIDE, output: { entryFileNames: "program.mjs", codeSplitting: false } },
    },
  });
  const program = join(folder, "program.mjs");
  const children = new Set<ChildProcess>();
  const end = (): void => {
    for (const child of children) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", end);
  return {
    file: program,
    start(...args) {
      const child = fork(program, args, {
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      });
      children.add(child);
      child.once("exit", () => children.delete(child));
      return child;
    },
    remove() {
      process.off("exit", end);
      end();
    },
  };
}
