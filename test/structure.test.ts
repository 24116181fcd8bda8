import { describe, expect, test } from "vitest";

import { filesBelow, isTest, manifestOf, packages, programs, read } from "./support/repository.ts";

const first = manifestOf(packages[0] ?? "");
const built = {
  import: { types: "./dist/esm/index.d.ts", default: "./dist/esm/index.js" },
  require: { types: "./dist/cjs/index.d.ts", default: "./dist/cjs/index.js" },
};

describe.each(packages)("%s", (folder) => {
  const manifest = manifestOf(folder);
  const files = filesBelow(folder).map((path) => path.slice(folder.length + 1));

  test("has what every package has", () => {
    const WANTED = ["README.md", "LICENSE", "src/index.ts", "tsconfig.json", "vitest.config.ts"];
    expect(WANTED.filter((path) => !files.includes(path))).toEqual([]);
    expect(read(`${folder}/LICENSE`)).toBe(read("LICENSE"));
    expect(manifest.name).toBe(`@breakwater/${folder.split("/")[1]}`);
  });

  test("has exports of both formats, each with its types first, and sources for this repository alone", () => {
    expect(JSON.stringify(manifest.exports?.["."])).toBe(
      JSON.stringify({ "@breakwater/source": "./src/index.ts", ...built }),
    );
    expect(JSON.stringify(manifest.publishConfig?.exports?.["."])).toBe(JSON.stringify(built));
  });

  test("says the same as the other packages", () => {
    const common = ({
      version,
      type,
      license,
      sideEffects,
      files: shipped,
      engines,
      scripts: { prepare: _makesWhatItNeeds, ...scripts } = {},
    }: typeof manifest) => ({
      version,
      type,
      license,
      sideEffects,
      shipped,
      engines,
      scripts,
    });
    expect(manifest.sideEffects).toBe(false);
    expect(manifest.engines).toEqual(manifestOf(".").engines);
    expect(common(manifest)).toEqual(common(first));
  });

  test("has tests once it has behaviour", () => {
    const isEmpty = read(`${folder}/src/index.ts`).trim() === "export {};";
    expect(isEmpty || files.some((path) => isTest(path)), `${folder} has no test`).toBe(true);
  });
});

describe("versions", () => {
  const RANGE = /^(workspace:[*^]|catalog:|(npm:(@[\w.-]+\/)?[\w.-]+@)?\d+\.\d+\.\d+)$/;

  test.each([".", ...packages, ...programs])("of the dependencies in %s are exact", (folder) => {
    const { dependencies, devDependencies } = manifestOf(folder);
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, range]) => !RANGE.test(range),
    );
    expect(loose).toEqual([]);
  });

  test("the lockfile names no host", () => {
    expect(read("pnpm-lock.yaml").match(/https?:\/\/|tarball:/)).toBeNull();
  });
});

describe("front pages", () => {
  test.each(["README.md", "README.zh-CN.md"])("%s can be read in one go", (file) => {
    expect(read(file).split("\n").length).toBeLessThanOrEqual(200);
  });
});
