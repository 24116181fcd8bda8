import { expect, test } from "vitest";

import { evenings } from "./evening.ts";
import { pictureOf } from "./picture.ts";
import { answered, call, cut, failed, hung, refused } from "./samples.test-help.ts";

const calls = [answered, cut, failed, refused, hung].map((end, index) =>
  call(`call-${index}`, end, 300 * 8 ** index),
);
const results = [
  { column: "sdk", calls, attempts: [] },
  { column: "breakwater", calls: [], attempts: [] },
] as const;
const picture = pictureOf(results, evenings.evening, "5 calls & <more>");

test("is well-formed: every element that opens closes, in order", () => {
  const open: string[] = [];
  for (const [, slash, name, selfClosed] of picture.matchAll(/<(\/?)([a-z]+)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (slash === "/") expect(open.pop()).toBe(name);
    else if (selfClosed !== "/") open.push(String(name));
  }
  expect(open).toEqual([]);
  expect(picture).toContain("5 calls &amp; &lt;more&gt;");
  expect(picture).not.toMatch(/NaN|undefined|Infinity/);
});

test("has a panel for each column and a mark for each fate", () => {
  expect(picture).toContain(">openai SDK<");
  expect(picture).toContain(">Breakwater<");
  for (const mark of ["dot correct", "ring cut", "dot error", "dot refused", "bar hung"]) {
    // Once in the legend and once in the panel.
    expect(picture.split(`class="${mark}"`)).toHaveLength(3);
  }
});

test("needs nothing from elsewhere", () => {
  expect(picture.replace("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:|href|url\(/);
});
