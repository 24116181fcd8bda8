import { expect, test } from "vitest";

import { nearest } from "./nearest.ts";

test.each([
  ["busy-evenin", "busy-evening"],
  ["bsy-evening", "busy-evening"],
  ["504", "504_html"],
  ["Calm", "calm"],
  ["xyz", "503"],
])("%s is taken for %s", (written, meant) => {
  expect(nearest(written, ["503", "calm", "busy-evening", "504_html"])).toBe(meant);
});

test("nothing is nearest where there is nothing", () => {
  expect(nearest("calm", [])).toBeUndefined();
});
