import { expect, test } from "vitest";

import { replaceBetweenMarks } from "./readme.ts";

test("replaces what stands between the marks, and nothing else", () => {
  const text = "# A\n<!-- demo:start -->\nold\n<!-- demo:end -->\nrest\n";
  const once = replaceBetweenMarks(text, "| new |");
  expect(once).toBe("# A\n<!-- demo:start -->\n\n| new |\n\n<!-- demo:end -->\nrest\n");
  expect(replaceBetweenMarks(once ?? "", "| new |")).toBe(once);
});

test("does nothing where there is no place for it", () => {
  expect(replaceBetweenMarks("# A\n", "new")).toBeUndefined();
  expect(replaceBetweenMarks("<!-- demo:end --> <!-- demo:start -->", "new")).toBeUndefined();
});
