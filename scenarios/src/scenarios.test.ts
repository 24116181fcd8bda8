import { scenarioNames } from "@breakwater/simulator";
import { describe, expect, it } from "vitest";

import type { Case } from "./case.ts";
import { cases } from "./cases/index.ts";
import { atLeast, atMost } from "./figures.ts";
import { readOptions } from "./options.ts";
import { play } from "./play.ts";
import { missed, rowOf, tableOf, waitingFor, waitingRow } from "./report.ts";

const edgeHtml = cases.find(({ scenario }) => scenario === "edge-html") as Case;

describe("the scenarios", () => {
  it("have a case each, which asks for something or says what it waits for", () => {
    expect(cases.map(({ scenario }) => scenario)).toEqual(scenarioNames);
  });

  it("give the same figures for the same seed, and these are met", { timeout: 120_000 }, async () => {
    const played = await play(edgeHtml, 3);
    const figures = edgeHtml.figures(played);
    expect(figures.length).toBeGreaterThan(3);
    expect(figures.filter(({ met }) => !met)).toEqual([]);
    expect(played.calls.length).toBeGreaterThan(400);
    const again = await play(edgeHtml, 3);
    expect(again.calls.map(({ endedAt }) => endedAt)).toEqual(played.calls.map(({ endedAt }) => endedAt));
    expect(edgeHtml.figures(again)).toEqual(figures);
  });

  it("see a client that is worse: one without retries misses", { timeout: 120_000 }, async () => {
    const played = await play({ ...edgeHtml, client: () => ({ policies: [] }) }, 3);
    expect(
      edgeHtml
        .figures(played)
        .filter(({ met }) => !met)
        .map(({ figure }) => figure),
    ).toEqual(["complete and correct, %, at least"]);
  });
});

describe("the report", () => {
  const rows = [
    rowOf("calm", atMost("hung", 0, 0)),
    rowOf("calm", atLeast("right, %", 95, 94.9996)),
    rowOf("flap", atMost("back after, s", 60, Infinity)),
    waitingRow("black-hole", "balancing"),
  ];

  it("tells what is met, missed and waiting apart", () => {
    expect(rows.map(({ met }) => met)).toEqual([true, true, false, false]);
    expect(missed(rows).map(({ scenario }) => scenario)).toEqual(["flap"]);
    expect(waitingFor(rows).map(({ scenario }) => scenario)).toEqual(["black-hole"]);
    expect(rows[3]).toEqual({
      scenario: "black-hole",
      figure: "waits for balancing",
      limit: null,
      measured: null,
      met: false,
    });
    expect(JSON.parse(JSON.stringify(rows))).toEqual(rows);
  });

  it("shows it", () => {
    const lines = tableOf(rows).split("\n");
    expect(lines.find((line) => line.includes("back after"))).toMatch(/60 │\s+never │ MISSED/);
    expect(lines.find((line) => line.includes("balancing"))).toMatch(/waits/);
  });
});

describe("the command line", () => {
  it("is read", () => {
    expect(readOptions(["--only", "calm, flap", "--seed", "7", "--report", "f.json"])).toEqual({
      help: false,
      seed: 7,
      only: ["calm", "flap"],
      report: "f.json",
    });
  });

  it.each([
    [["--only", "clam"], '--only: got "clam"; it is some of calm, '],
    [["--seed", "x"], '--seed: got "x"; it is a whole number'],
    [["--seed", ""], '--seed: got ""'],
    [["--report", " "], "--report: the name of a file is missing"],
    [["--raport", "x"], "Unknown option '--raport'"],
  ])("%j is answered with what can be written", (args, message) => {
    expect(() => readOptions(args)).toThrow(message);
  });
});
