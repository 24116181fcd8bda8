import { expect, test } from "vitest";

import type { Instrument, LabelName } from "./instruments.ts";
import { createLabelSet, type LabelSet } from "./label-set.ts";
import { createSeries, MAX_SERIES } from "./series.ts";

const instrument: Instrument = {
  key: "attempts",
  type: "counter",
  prometheus: "attempts_total",
  otel: "breakwater.attempts",
  unit: "1",
  help: "of a test",
  labels: ["client", "outcome", "model"],
};

function make(max: number) {
  const set = createLabelSet(max);
  const sets = new Proxy({}, { get: () => set }) as Readonly<Record<LabelName, LabelSet>>;
  const made: Readonly<Record<string, string>>[] = [];
  const series = createSeries(instrument, false, sets, (labels) => {
    const at = made.push(labels) - 1;
    counted[at] = 0;
    return (amount) => void (counted[at] = (counted[at] ?? 0) + amount);
  });
  const counted: number[] = [];
  return { counted, made, series };
}

test("the same values are the same series, found again and not made again", () => {
  const { counted, made, series } = make(10);
  series.find(["a", "answered", "m"])(1);
  series.find(["a", "answered", "m"])(2);
  series.find(["a", "answered", "n"])(4);
  series.find(["a", "failed", ""])(8);
  expect(made).toEqual([
    { client: "a", outcome: "answered", model: "m" },
    { client: "a", outcome: "answered", model: "n" },
    { client: "a", outcome: "failed", model: "" },
  ]);
  expect(counted).toEqual([3, 4, 8]);
});

test("however values are combined, there are no more series than that, and nothing is lost", () => {
  const { counted, made, series } = make(1_000);
  let told = 0;
  for (let client = 0; client < 100; client++) {
    for (let model = 0; model < 100; model++) {
      series.find([`c${client}`, model % 2 === 0 ? "answered" : "failed", `m${model}`])(1);
      told++;
    }
  }
  // Those of ours are told apart still: it is worth knowing what of the rest has failed.
  expect(made).toHaveLength(MAX_SERIES + 2);
  expect(made.slice(MAX_SERIES)).toEqual([
    { client: "other", outcome: "answered", model: "other" },
    { client: "other", outcome: "failed", model: "other" },
  ]);
  expect(counted.reduce((sum, each) => sum + each, 0)).toBe(told);
});
