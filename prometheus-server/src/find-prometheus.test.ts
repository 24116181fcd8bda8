import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, test } from "vitest";

import { findPrometheus, prometheusIsUnwanted } from "../../scripts/find-prometheus.mjs";

/** An environment in which nothing is fetched. */
const here = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  PATH: process.env["PATH"],
  BREAKWATER_TEST_NO_DOWNLOAD: "1",
  ...env,
});

const folder = mkdtempSync(join(tmpdir(), "breakwater-find-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Something that says of itself which version it is. */
function program(name: string, version: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\necho "${name}, version ${version}+ds (branch: HEAD)"\n`);
  chmodSync(path, 0o755);
  return path;
}

describe("a Prometheus", () => {
  test("that shall not be is not looked for", () => {
    const env = here({ BREAKWATER_TEST_PROMETHEUS: "none" });
    expect(prometheusIsUnwanted(env)).toBe(true);
    expect(findPrometheus(env)).toBeUndefined();
  });

  test.each(["/nowhere/prometheus", process.execPath])(
    "that is %s is none, and no other takes its place",
    (path) => {
      expect(findPrometheus(here({ BREAKWATER_TEST_PROMETHEUS: path }))).toBeUndefined();
    },
  );

  test("comes with a promtool of its own version, and is not older than what tests ask of it", () => {
    const path = program("prometheus", "3.5.0");
    const env = here({ BREAKWATER_TEST_PROMETHEUS: path });
    expect(findPrometheus(env)).toBeUndefined();
    program("promtool", "3.4.0");
    expect(findPrometheus(env)).toBeUndefined();
    const promtool = program("promtool", "3.5.0");
    expect(findPrometheus(env)).toEqual({ path, promtool, version: "3.5.0", source: "given" });
    program("prometheus", "2.15.2");
    program("promtool", "2.15.2");
    expect(findPrometheus(env)).toBeUndefined();
  });

  test("on PATH is taken before one is fetched", () => {
    const path = program("prometheus", "2.53.1");
    const promtool = program("promtool", "2.53.1");
    expect(findPrometheus(here({ PATH: `${folder}:${process.env["PATH"]}` }))).toEqual({
      path,
      promtool,
      version: "2.53.1",
      source: "path",
    });
  });
});
