import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { findPrometheus, NO_PROMETHEUS } from "../../scripts/find-prometheus.mjs";
import { textOf, type Yaml } from "./prometheus.ts";

export interface PromtoolOptions {
  /** Where it runs. @default a temporary folder with nothing but `files` in it */
  readonly folder?: string;
  /** What it finds there: `{ "alerts.yml": rules }`. Only without `folder`: nothing is written into one that is yours. */
  readonly files?: Readonly<Record<string, Yaml>>;
  /** What it reads from its standard input, as `check metrics` does. */
  readonly input?: string;
}

export interface Said {
  /** Whether it ended with 0. */
  readonly ok: boolean;
  /** All that it wrote. */
  readonly said: string;
}

/**
 * Runs promtool.
 *
 * @throws Error with what to do, if there is none to be had
 *
 * @example
 * await promtool(["check", "rules", "alerts.yml"], { files: { "alerts.yml": { groups: [] } } });
 * await promtool(["check", "metrics"], { input: await register.metrics() });
 */
export async function promtool(args: readonly string[], options: PromtoolOptions = {}): Promise<Said> {
  const found = findPrometheus();
  if (!found) throw new Error(NO_PROMETHEUS);
  const { folder, files = {}, input = "" } = options;
  if (folder !== undefined) {
    if (options.files)
      throw new Error("promtool: files are written into a temporary folder; leave out folder.");
    return run(found.promtool, args, folder, input);
  }
  const own = mkdtempSync(join(tmpdir(), "breakwater-promtool-"));
  try {
    for (const [name, yaml] of Object.entries(files)) writeFileSync(join(own, name), textOf(yaml));
    return await run(found.promtool, args, own, input);
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

async function run(path: string, args: readonly string[], folder: string, input: string): Promise<Said> {
  const child = spawn(path, args, { cwd: folder, stdio: "pipe" });
  let said = "";
  const hear = (text: string): void => void (said += text);
  child.stdout.setEncoding("utf8").on("data", hear);
  child.stderr.setEncoding("utf8").on("data", hear);
  child.stdin.on("error", () => {}); // it need not read it
  child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { ok: code === 0, said };
}
