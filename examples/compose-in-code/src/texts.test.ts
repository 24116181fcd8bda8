import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { LABELS } from "./question.ts";
import { simulatedAnswer } from "./simulated.ts";
import { count, makeTexts, readTexts, type Text } from "./texts.ts";

async function all(texts: AsyncIterable<Text>): Promise<Text[]> {
  const found: Text[] = [];
  for await (const text of texts) found.push(text);
  return found;
}

test("made-up texts are the same for a seed, and others for another", async () => {
  const texts = await all(makeTexts(1_000));
  expect(await all(makeTexts(1_000))).toEqual(texts);
  expect(await all(makeTexts(1_000, 2))).not.toEqual(texts);
  expect(await count(makeTexts(1_000))).toBe(1_000);
  expect(texts.map(({ n }) => n)).toEqual(texts.map((_, index) => index + 1));
  expect(texts[0]?.text).toBe("Good morning, the lamp of order 10246 flickers. It is urgent.");
});

test("the simulated DeepSeek finds every label in them, and is unsure of a few", async () => {
  const said = new Map<string, number>();
  for (const { text } of await all(makeTexts(1_000))) {
    const { label } = JSON.parse(simulatedAnswer({ messages: [{ role: "user", content: text }] })) as {
      label: string;
    };
    said.set(label, (said.get(label) ?? 0) + 1);
  }
  for (const label of LABELS) expect(said.get(label)).toBeGreaterThan(100);
  expect(said.get("complaint")).toBeGreaterThan(0);
  expect(said.get("complaint")).toBeLessThan(30);
});

test("a file has a text in each line that is not empty, by the number of the line", async () => {
  const folder = mkdtempSync(join(tmpdir(), "texts-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "texts.txt");
  writeFileSync(path, "one\r\n\n  two  \n   \nfünf — 五");
  for await (const first of readTexts(path)) {
    expect(first).toEqual({ n: 1, text: "one" });
    break;
  }
  expect(await all(readTexts(path))).toEqual([
    { n: 1, text: "one" },
    { n: 3, text: "two" },
    { n: 5, text: "fünf — 五" },
  ]);
});
