import { expect, test } from "vitest";

import { faults } from "./faults/index.ts";
import { help, readOptions } from "./options.ts";

test("everything is played and nothing written unless somebody says so", () => {
  expect(readOptions([])).toEqual({ help: false, only: [], report: undefined });
  expect(readOptions(["--only", "script-flush, redis-frozen", "--report", "chaos.json"])).toEqual({
    help: false,
    only: ["script-flush", "redis-frozen"],
    report: "chaos.json",
  });
});

test("names have one form, each is there once, and the help has them all", () => {
  const names = faults.map(({ name }) => name);
  expect(names.filter((name) => !/^[a-z]+(-[a-z]+)+$/.test(name))).toEqual([]);
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => !help.includes(name))).toEqual([]);
});

test.each([
  [["--only", "flush"], '--only: got "flush"; it is some of kill-permit-holders,'],
  [["--report", ""], "--report: the name of a file is missing"],
  [["--fast"], "Unknown option '--fast'. Write --help for what there is."],
])("%j is no command line", (args, message) => {
  expect(() => readOptions(args)).toThrow(message);
});
