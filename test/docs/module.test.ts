import { expect, test } from "vitest";

import { fencesOfMarkdown, fencesOfSource } from "./fences.ts";
import { moduleOf } from "./module.ts";

const fence = (...code: string[]): string =>
  moduleOf({ file: "page.md", line: 2, language: "ts", runs: true, code: code.join("\n") })
    .split("\n")
    .slice(1, -2)
    .map((line) => line.trim())
    .join("\n");

test("an expression, a declaration, and what is printed are compared", () => {
  expect(fence("1 + 1 // => 2")).toBe("__assert.deepEqual(1 + 1, 2);");
  expect(fence("const a = f(); // => [1]")).toBe("const a = f(); __assert.deepEqual(a, [1]);");
  expect(fence("console.log(a, b); // => 2")).toBe("__assert.deepEqual(a, 2);");
  expect(fence("await f(", "  1,", "); // => 2", "g(); // => 3")).toBe(
    "__assert.deepEqual(await f(\n1,\n), 2);\n__assert.deepEqual(g(), 3);",
  );
});

test("an arrow that follows no value is refused, as it would be checked by nobody", () => {
  expect(() => fence("// => 2")).toThrow('page.md:2: "// =>2" follows nothing that has a value');
  expect(() => fence("const { a } = b; // => 2")).toThrow("follows nothing");
});

test("a line keeps its number", () => {
  const [found] = fencesOfMarkdown("page.md", "a\n\n```ts\nf();\ng(); // => 1\n```\n");
  expect(found).toMatchObject({ line: 4, runs: true });
  expect(found && moduleOf(found).split("\n").slice(3, 5)).toEqual(["f();", " __assert.deepEqual(g(), 1); "]);
});

test("other languages are left alone, and no-run is kept in mind", () => {
  const page = "```sh\nnpm test\n```\n\n- list\n\n  ```js no-run\n  f();\n  ```\n```ts\n```\n";
  expect(fencesOfMarkdown("page.md", page)).toMatchObject([
    { language: "js", runs: false, code: "f();", line: 8 },
    { language: "ts", runs: true, code: "" },
  ]);
});

test("doc comments have fences too", () => {
  const source =
    "const a = 1;\n/**\n * What.\n * @example\n * ```ts\n * f({\n *   a,\n * });\n * ```\n */\nexport const f = a;\n";
  expect(fencesOfSource("a.ts", source)).toMatchObject([{ line: 6, code: "f({\n  a,\n});" }]);
});
