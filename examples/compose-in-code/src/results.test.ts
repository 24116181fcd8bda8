import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { beforeEach, expect, onTestFinished, test } from "vitest";

import { openResults, type Result } from "./results.ts";

let path: string;
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), "results-"));
  path = join(folder, "labels.jsonl");
  onTestFinished(() => rmSync(folder, { recursive: true }));
});

const one: Result = { n: 1, text: "Wo ist es? 📦", label: "delivery" };
const two: Result = { n: 2, text: 'Sie sagt "fünf\nZeilen" 📦', label: "account" };
const lineOf = ({ label, n, text }: Result): string => `${JSON.stringify({ n, label, text })}\n`;
const content = (): string => readFileSync(path, "utf8");

test("results are found again", async () => {
  const first = await openResults(path);
  expect(first.has(one)).toBe(false);
  await Promise.all([first.write(one), first.write(two)]);
  await first.close();
  expect(content()).toBe(lineOf(one) + lineOf(two));
  const second = await openResults(path);
  expect([second.has(one), second.has(two), second.has({ n: 3, text: "" })]).toEqual([true, true, false]);
  await second.close();
});

test("each write resolves when its line is there, also those that came while another was written", async () => {
  const results = await openResults(path);
  const writes = Array.from({ length: 50 }, async (_, n) => {
    await results.write({ ...one, n });
    expect(content()).toContain(lineOf({ ...one, n }));
  });
  await Promise.all(writes);
  expect(content().split("\n")).toHaveLength(51);
  await results.close();
});

test("a last line that was torn, at whichever byte, is written anew", async () => {
  const whole = Buffer.from(lineOf(two));
  for (let bytes = 0; bytes < whole.length; bytes++) {
    writeFileSync(path, Buffer.concat([Buffer.from(lineOf(one)), whole.subarray(0, bytes)]));
    const results = await openResults(path);
    expect(results.has(one)).toBe(true);
    if (!results.has(two)) await results.write(two);
    await results.close();
    expect(content()).toBe(lineOf(one) + lineOf(two));
  }
});

test.each([
  ["a letter", "Dear Ada,\nhow are you?\n", /line 1 is not a result of this script/],
  ["a letter of one line", "Dear Ada", /ends with something else than a result/],
  ["another script's lines", '{"id":1}\n', /line 1 is not a result/],
  ["a number", "7", /ends with something else/],
  ["results with a line lost in the middle", `${lineOf(one)}{"n":2,"la\n${lineOf(two)}`, /line 2/],
])("%s is not touched", async (_, text, message) => {
  writeFileSync(path, text);
  await expect(openResults(path)).rejects.toThrow(message);
  expect(content()).toBe(text);
});

test("results of other texts are not taken for those of these", async () => {
  writeFileSync(path, lineOf(one));
  const results = await openResults(path);
  expect(() => results.has({ ...one, text: "something else" })).toThrow(
    /holds another text as number 1; name another file/,
  );
  await results.close();
});

test("a place where nothing can be written is told", async () => {
  await expect(openResults(join(path, "nowhere", "labels.jsonl"))).rejects.toThrow(
    /--out .*: it cannot be written \(ENOENT/,
  );
});

test("a write that fails is told to everybody who waits for it", async () => {
  const results = await openResults(path);
  await results.close();
  const writes = await Promise.allSettled([results.write(one), results.write(two)]);
  expect(writes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});
