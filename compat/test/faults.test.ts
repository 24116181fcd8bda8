import { readFileSync } from "node:fs";

import { faultNames } from "@breakwater/simulator";
import { beforeAll, describe, expect, test } from "vitest";

import { type Case, seeAll } from "../src/faults/catalogue.ts";
import { behind, pageWith } from "../src/faults/page.ts";
import { rows } from "../src/faults/row.ts";
import { verdictOf } from "../src/faults/words.ts";

const PAGE = "../../docs/faults.md";

let cases: readonly Case[];
beforeAll(async () => {
  cases = await seeAll();
}, 300_000);

/** Written anew by `npm run faults`. */
test("the page of all faults says what is seen", async () => {
  expect(rows.map(({ name }) => name)).toEqual(faultNames);
  const page = readFileSync(new URL(PAGE, import.meta.url), "utf8");
  await expect(pageWith(page, cases)).toMatchFileSnapshot(PAGE);
});

describe.each(rows)("$name, through Breakwater", (row) => {
  const told = (): readonly Case[] => cases.filter((each) => each.row === row && each.how !== "alone");
  const where = ({ how, strikes, stream }: Case): string =>
    `${strikes}, ${stream ? "streamed" : "whole"}, ${how}`;

  test("ends, and ends as what it is: no half answer without an error", () => {
    const bad = told().filter(({ seen }) => ["hangs", "silent"].includes(verdictOf(row, seen)));
    expect(bad.map(where)).toEqual([]);
  });

  test("gives nothing but the beginning of the right answer before an error", () => {
    const bad = told().filter(({ seen }) => seen.ended === "threw" && seen.text === "wrong");
    expect(bad.map(where)).toEqual([]);
  });

  test("leaves nothing behind: no permit, no timer, no connection", () => {
    expect(told()).toHaveLength(6);
    for (const { seen } of told())
      expect(seen.held).toEqual({ calls: 0, permits: 0, connections: 0, timers: 0 });
  });
});

test("what is said to be the host's own word is nothing that a plain client sees better", () => {
  const spoken = cases.filter(({ row, how }) => row.spoken !== undefined && how === "through");
  for (const { row, seen, stream, strikes } of spoken) {
    const alone = cases.find(
      (each) =>
        each.row === row && each.stream === stream && each.strikes === strikes && each.how === "alone",
    );
    expect(seen).toMatchObject({ ended: "answered", text: alone?.seen.text, finish: alone?.seen.finish });
  }
});

test("there is a reason wherever the plain client gets further, and nowhere else", () => {
  const names = behind(cases).map(({ row }) => row.name);
  const explained = rows.filter((row) => row.behind !== undefined).map(({ name }) => name);
  expect(explained.toSorted()).toEqual([...new Set(names)].toSorted());
});
