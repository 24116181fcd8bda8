import { createPipeline } from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import { expect, test } from "vitest";

import { named } from "./names.ts";
import { createStats } from "./stats.ts";

const { snapshot } = createPipeline();
const stats = createStats(createTestClock(), snapshot);
const namesOf = (...names: readonly string[]): readonly string[] =>
  named(names.map((plainName) => ({ plainName, client: createPipeline(), stats }))).map(({ name }) => name);

test("clients are called what they call themselves, with a number where names are alike", () => {
  expect(namesOf("a", "b")).toEqual(["a", "b"]);
  expect(namesOf("a", "b", "a", "a")).toEqual(["a#1", "b", "a#2", "a#3"]);
});

test("one that is really called so keeps its name", () => {
  const names = namesOf("a", "a", "a#2");
  expect(names[2]).toBe("a#2");
  expect(new Set(names).size).toBe(3);
});
