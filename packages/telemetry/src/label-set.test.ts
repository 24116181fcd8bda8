import { expect, test } from "vitest";

import { createLabelSet, OTHER } from "./label-set.ts";

test("tells the first values apart, whatever comes later", () => {
  const models = createLabelSet(2);
  expect(["a", "b", "c", "a", "d", "b"].map((value) => models.of(value))).toEqual([
    "a",
    "b",
    OTHER,
    "a",
    OTHER,
    "b",
  ]);
});

test("what is not said takes up no room", () => {
  const tenants = createLabelSet(1);
  expect(["", "a", "", "b"].map((value) => tenants.of(value))).toEqual(["", "a", "", OTHER]);
});

test("a long value is cut, and is the same value as another that begins like it", () => {
  const models = createLabelSet(1);
  expect(models.of("m".repeat(1_000_000))).toBe("m".repeat(100));
  expect(models.of("m".repeat(200))).toBe("m".repeat(100));
});
