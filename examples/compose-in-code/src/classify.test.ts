import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { createClassifier } from "./classify.ts";

const limits = { concurrency: 16, requestsPerSecond: 40, tokensPerMinute: 600_000 };
const { client } = createClassifier({ apiKey: "sk-your-key", limits });

test("the order of the policies is one that nothing is to be said against", () => {
  expect(client.describe().lints).toEqual([]);
});

test("and the one that the README shows", () => {
  const page = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [fence = ""] = /```ts.*?```/s.exec(page) ?? [];
  const shown = [...fence.matchAll(/^ {2}(\w+)\(\{/gm)].map(([, name]) => name).slice(1);
  const kinds = shown.map((name) => name?.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`));
  expect(kinds).toEqual(client.describe().policies.map(({ kind }) => kind));
});
