import { describe, expect, test } from "vitest";

import { chromiumIsUnwanted, findChromium } from "../../scripts/find-chromium.mjs";

/** An environment in which nothing is fetched. */
const here = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  PATH: process.env["PATH"],
  BREAKWATER_TEST_NO_DOWNLOAD: "1",
  ...env,
});

describe("a Chromium", () => {
  test("that shall not be is not looked for", () => {
    const env = here({ BREAKWATER_TEST_CHROMIUM: "none" });
    expect(chromiumIsUnwanted(env)).toBe(true);
    expect(findChromium(env)).toBeUndefined();
  });

  test.each(["/nowhere/chromium", process.execPath])(
    "that is %s is none, and no other takes its place",
    (path) => {
      expect(findChromium(here({ BREAKWATER_TEST_CHROMIUM: path }))).toBeUndefined();
    },
  );

  test("is taken from where it is named, with its version", ({ skip }) => {
    const any = findChromium();
    skip(any === undefined, "There is no Chromium here.");
    if (any === undefined || any.source === "unpacked") return;
    expect(findChromium(here({ BREAKWATER_TEST_CHROMIUM: any.path }))).toEqual({ ...any, source: "given" });
    expect(any.version).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
  });
});
