import { describe, expect, test } from "vitest";

import { ablations, compared } from "./columns/index.ts";
import { help, readOptions, UsageError } from "./options.ts";

describe("options", () => {
  test("have defaults", () => {
    expect(readOptions([])).toMatchObject({
      severity: "evening",
      columns: compared,
      users: 500,
      seed: 1,
      timeScale: 0.12,
      report: undefined,
      markdown: false,
    });
  });

  test("are read", () => {
    const args = [
      "--severity",
      "light",
      "--columns",
      "sdk, breakwater,sdk",
      "--users=20",
      "--seed",
      "7",
      "--markdown",
    ];
    expect(
      readOptions([...args, "--time-scale", "0.05", "--report", "r.json", "--picture", "p.svg"]),
    ).toMatchObject({
      severity: "light",
      columns: ["sdk", "breakwater"],
      users: 20,
      seed: 7,
      timeScale: 0.05,
      report: "r.json",
      picture: "p.svg",
      markdown: true,
    });
    expect(readOptions(["--ablate"]).columns).toEqual(ablations);
  });

  test.each([
    [["--severity", "awful"], '--severity: got "awful"; it is one of light, evening, hopeless.'],
    [["--columns", "sdk,axios"], '--columns: got "axios"; it is one of sdk, sdk-tuned, cockatiel,'],
    [["--users", "0"], '--users: got "0"; it is a whole number from 1 to 5000, for example 500.'],
    [["--users", "2.5"], "--users"],
    [["--seed", ""], '--seed: got ""'],
    [["--time-scale", "fast"], '--time-scale: got "fast"; it is a number from 0.01 to 1, for example 0.1.'],
    [["--report", " "], "--report: the name of a file is missing, for example figures.json."],
    [["--report"], "--report"],
    [["--colour"], "Unknown option '--colour'"],
    [["evening"], "Unexpected argument 'evening'"],
    [["--ablate", "--columns", "sdk"], "--ablate chooses its own columns"],
  ])("%j is refused with what to write", (args, message) => {
    expect(() => readOptions(args)).toThrow(UsageError);
    expect(() => readOptions(args)).toThrow(message);
  });

  test("the help names every column", () => {
    for (const column of compared) expect(help).toContain(column);
  });
});
