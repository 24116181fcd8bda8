import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { type Simulator, startSimulator } from "@breakwater/simulator";
import { register } from "prom-client";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { fencesOfMarkdown, fencesOfSource } from "./docs/fences.ts";
import { moduleOf } from "./docs/module.ts";
import { filesBelow, isTest, packages, pages, read, root } from "./support/repository.ts";

// Inside this package, so that imports resolve to what it depends on.
const out = join(root, "test", ".cache", "doctest");

const fences = [
  ...pages.flatMap((file) => fencesOfMarkdown(file, read(file))),
  ...packages
    .flatMap((folder) => filesBelow(folder))
    .filter((file) => /\/src\/.*\.ts$/.test(file) && !isTest(file))
    .flatMap((file) => fencesOfSource(file, read(file))),
].map((fence) => ({
  ...fence,
  where: `${fence.file}:${fence.line}`,
  module: join(out, `${fence.file}.${fence.line}.${fence.language}`),
}));

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
writeFileSync(
  join(out, "tsconfig.json"),
  JSON.stringify({
    extends: "../../../tsconfig.base.json",
    compilerOptions: {
      allowJs: true,
      // A page is compiled as in a project that is strict, but not as strict as this one.
      noUnusedLocals: false,
      noUnusedParameters: false,
      noUncheckedIndexedAccess: false,
      noPropertyAccessFromIndexSignature: false,
      // What every Nest project is compiled with, and what its classes are written in: `constructor(readonly x: X)`.
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      erasableSyntaxOnly: false,
    },
    include: ["**/*.ts", "**/*.js"],
  }),
);
for (const fence of fences) {
  mkdirSync(dirname(fence.module), { recursive: true });
  writeFileSync(fence.module, moduleOf(fence));
}

describe("docs", () => {
  // A page says what a user writes. Where that means DeepSeek or Redis, one of ours stands at the address in the environment.
  let deepseek: Simulator;
  beforeAll(async () => {
    deepseek = await startSimulator({ timeScale: 0.01 });
  });
  afterAll(() => deepseek.close());
  const redis = useRedis();

  const run = fences.filter(({ runs }) => runs);

  test("compile", { timeout: 120_000 }, () => {
    console.info(
      `docs: ${run.length} fences are executed, ${fences.length - run.length} are only compiled (no-run)`,
    );
    if (fences.length === 0) return;
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const { stdout } = spawnSync(process.execPath, [tsc, "-p", out, "--pretty", "false"], {
      cwd: out,
      encoding: "utf8",
    });
    const errors = stdout.trim().replaceAll(/^(.+)\.\d+\.[tj]s\((\d+),\d+\)/gm, "$1:$2");
    expect(errors).toBe("");
  });

  test.each(run)("$where runs", { timeout: 30_000 }, async ({ module }) => {
    vi.spyOn(console, "log").mockImplementation(() => {});
    vi.spyOn(process.stdout, "write").mockReturnValue(true);
    // Nest aborts the process when an application does not start, and all fences after it with it. It has said why on stderr.
    vi.spyOn(process, "abort").mockImplementation(() => undefined as never);
    // Each is a program of its own; here the next one would find the metrics of the one before.
    register.clear();
    vi.stubEnv("DEEPSEEK_BASE_URL", deepseek.url);
    vi.stubEnv("DEEPSEEK_API_KEY", "sk-sim-1");
    vi.stubEnv("REDIS_URL", redis.url);
    vi.stubEnv("ADA_PASSWORD", "a long password");
    await import(module);
  });
});
