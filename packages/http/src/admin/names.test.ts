import { createPipeline } from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import { expect, test } from "vitest";

import { createNumbers, named } from "./names.ts";
import { createStats } from "./stats.ts";

const { snapshot } = createPipeline();
const stats = createStats(createTestClock(), snapshot);
const watched = (...names: readonly string[]) => {
  const numberOf = createNumbers();
  return names.map((plainName) => ({
    plainName,
    number: numberOf(plainName),
    client: createPipeline(),
    stats,
  }));
};
const namesOf = (...names: readonly string[]): readonly string[] =>
  named(watched(...names)).map(({ name }) => name);

test("clients are called what they call themselves, with a number where names are alike", () => {
  expect(namesOf("a", "b")).toEqual(["a", "b"]);
  expect(namesOf("a", "b", "a", "a")).toEqual(["a#1", "b", "a#2", "a#3"]);
});

test("one that is really called so keeps its name", () => {
  const names = namesOf("a", "a", "a#2");
  expect(names[2]).toBe("a#2");
  expect(new Set(names).size).toBe(3);
});

test("when one goes, no other is called as it was", () => {
  const [, ...left] = watched("a", "a", "a");
  expect(named(left).map(({ name }) => name)).toEqual(["a#2", "a#3"]);
});

test("numbers of many names are remembered, and not of all that there ever were", () => {
  const numberOf = createNumbers();
  numberOf("first");
  for (let n = 0; n < 999; n++) numberOf(`name ${n}`);
  expect(numberOf("first")).toBe(2);
  for (let n = 0; n < 1_000; n++) numberOf(`other ${n}`);
  expect(numberOf("first")).toBe(1);
});
