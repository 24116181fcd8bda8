import { expect, test } from "vitest";

import { chosenCases, readArguments } from "./arguments.ts";
import { CASES } from "./cases.ts";

test("without arguments everything is measured", () => {
  expect(readArguments([])).toEqual({
    quick: false,
    write: false,
    report: undefined,
    redis: false,
    cases: [],
  });
});

test("a case is chosen by a part of its name", () => {
  const options = readArguments(["--case", "refused", "--quick"]);
  expect(options && chosenCases(options).map(({ name }) => name)).toEqual(["refused-full", "refused-open"]);
  expect(options?.quick).toBe(true);
  expect(CASES.length).toBeGreaterThan(2);
});

test("what goes over Redis can be measured alone", () => {
  const options = readArguments(["--redis"]);
  expect(options && chosenCases(options)).toEqual([]);
  expect(options?.redis).toBe(true);
});

test.each([
  [["--case", "nothing"], /named like nothing/],
  [["--write", "--quick"], /whole measurement/],
  [["--redis", "--case", "retry"], /nothing to be measured/],
  [["--fast"], /--fast/],
])("%j is refused", (args, message) => {
  expect(() => readArguments(args)).toThrow(message);
});
