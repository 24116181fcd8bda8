import { expect, test } from "vitest";

import { fateOf } from "./fate.ts";
import { answered, call, cut, failed, garbled, hung, refused } from "./samples.test-help.ts";

test.each([
  ["a whole answer", answered, "correct"],
  ["an answer that stops early and says it is done", cut, "cut"],
  ["an answer with foreign words that says it is done", garbled, "cut"],
  ["an error", failed, "error"],
  ["a refusal of the column's own", refused, "refused"],
  ["nothing until the user left", hung, "hung"],
] as const)("%s", (_name, end, fate) => {
  expect(fateOf(call("call-1", end))).toBe(fate);
});
