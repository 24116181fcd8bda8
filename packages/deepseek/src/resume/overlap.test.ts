import { seeded } from "@breakwater/testing";
import { describe, expect, test } from "vitest";

import { LONGEST_OVERLAP, overlapOf } from "./overlap.ts";

const letters = (random: () => number, count: number): string =>
  Array.from({ length: count }, () => "abcdefgh海山🤔 "[Math.floor(random() * 11)]).join("");

describe("an echo", () => {
  test("of at least eight characters is found, wherever it begins", () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = seeded(seed);
      const delivered = letters(random, 60);
      const echoed = 8 + Math.floor(random() * 50);
      const fresh = `#${letters(random, 5)}`;
      const found = overlapOf(delivered, delivered.slice(-echoed) + fresh, false);
      expect(found).toBe(echoed);
    }
  });

  test("is found although it comes one character at a time", () => {
    const delivered = "Water runs off the land, and takes salt with it";
    const continuation = `${delivered.slice(-20)}, grain by grain`;
    let decided: number | undefined;
    for (let length = 1; decided === undefined; length++) {
      decided = overlapOf(delivered, continuation.slice(0, length), false);
      expect(length).toBeLessThanOrEqual(21);
    }
    expect(decided).toBe(20);
  });

  test("is decided upon when nothing more comes", () => {
    expect(overlapOf("the land and the sea", "and the sea", true)).toBe(11);
    expect(overlapOf("the land and the sea", "the land", false)).toBeUndefined();
    expect(overlapOf("the land and the sea", "the land", true)).toBe(0);
  });
});

describe("no echo", () => {
  test.each([
    ["a shorter repetition", "it was very", " very cold"],
    ["text that only occurs further up", "the salt of the sea.", "the salt of tears"],
    ["a line of dashes", `| a |\n${"-".repeat(40)}`, `${"-".repeat(40)}\n`],
    ["deep indentation", `{\n${" ".repeat(16)}`, `${" ".repeat(8)}x`],
    ["a refrain", "ha ha ha ha ha ha", " ha ha ha ha!"],
    ["nothing", "the land and the sea", ""],
  ])("is %s", (_, delivered, continuation) => {
    expect(overlapOf(delivered, continuation, true)).toBe(0);
  });

  test("no more is ever held back than an echo could be long", () => {
    const delivered = "ab".repeat(5_000);
    expect(overlapOf(delivered, "ab".repeat(LONGEST_OVERLAP / 2), false)).toBe(0);
  });
});
