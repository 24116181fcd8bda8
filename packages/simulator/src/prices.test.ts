import { describe, expect, test } from "vitest";

import { SimulatorConfigError, startSimulator, type PriceTable, type SimulatorOptions } from "./index.ts";
import { inCents, toNanoUsd } from "./money.ts";
import { costOf, defaultPrices, priceAt, tierAt } from "./prices.ts";

const at = (moment: string): number => Date.parse(moment);
const { peak } = defaultPrices;

describe("peak hours", () => {
  test.each([
    ["2026-11-23T00:59:59.999Z", "offpeak"],
    ["2026-11-23T01:00:00Z", "peak"],
    ["2026-11-23T03:59:59.999Z", "peak"],
    ["2026-11-23T04:00:00Z", "offpeak"],
    ["2026-11-23T05:59:59Z", "offpeak"],
    ["2026-11-23T06:00:00Z", "peak"],
    ["2026-11-23T09:59:59Z", "peak"],
    ["2026-11-23T10:00:00Z", "offpeak"],
    ["2026-11-27T08:00:00Z", "peak"],
    // A Saturday, a Sunday, and a Thursday that is a holiday.
    ["2026-11-28T08:00:00Z", "offpeak"],
    ["2026-11-29T08:00:00Z", "offpeak"],
    ["2026-10-01T08:00:00Z", "offpeak"],
    ["2026-10-07T08:00:00Z", "offpeak"],
    ["2026-10-08T08:00:00Z", "peak"],
  ])("%s: %s", (moment, tier) => {
    expect(tierAt(peak, at(moment))).toBe(tier);
  });
});

test("a price holds until the next one of its model, and the first one also before", () => {
  const entries = defaultPrices.models["deepseek-v4-flash"] ?? [];
  const output = (moment: string, tier: "peak" | "offpeak" = "offpeak"): number =>
    priceAt(entries, at(moment), tier).output;
  expect(output("2025-01-01")).toBe(0.28);
  expect(output("2026-07-31T23:59:59Z")).toBe(0.28);
  expect(output("2026-08-01T00:00:00Z")).toBe(0.66);
  expect(output("2026-11-23", "peak")).toBe(1.2);
  // There was no peak yet.
  expect(output("2026-07-01", "peak")).toBe(0.28);
});

describe("cost", () => {
  const price = { cacheHit: 0.003, cacheMiss: 0.15, output: 0.6 };

  test("hits, misses and output, in whole billionths", () => {
    expect(costOf(price, { hit: 320, miss: 19, output: 92 })).toBe(320n * 3n + 19n * 150n + 92n * 600n);
    expect(costOf(price, { hit: 0, miss: 0, output: 0 })).toBe(0n);
  });

  test("is added up exactly and rounded once, halves up", () => {
    const odd = { cacheHit: 0.003_625, cacheMiss: 0.000_499, output: 0.000_5 };
    expect(costOf(odd, { hit: 8, miss: 0, output: 0 })).toBe(29n);
    expect(costOf(odd, { hit: 1, miss: 0, output: 0 })).toBe(4n);
    expect(costOf(odd, { hit: 0, miss: 1, output: 0 })).toBe(0n);
    expect(costOf(odd, { hit: 0, miss: 0, output: 1 })).toBe(1n);
    expect(costOf(odd, { hit: 0, miss: 1, output: 1 })).toBe(1n);
  });

  test("stays exact where numbers would not", () => {
    const tokens = { hit: 0, miss: 9_007_199_254_740_991, output: 1 };
    expect(costOf({ cacheHit: 0, cacheMiss: 1000, output: 0.001 }, tokens)).toBe(
      9_007_199_254_740_991_000_001n,
    );
  });
});

test("cents are what there is at least, and never less than none", () => {
  expect(inCents(toNanoUsd(110))).toBe("110.00");
  expect(inCents(toNanoUsd(1.999_999_999))).toBe("1.99");
  expect(inCents(9_999_999n)).toBe("0.00");
  expect(inCents(-5n)).toBe("0.00");
});

describe("wrong prices fail at the start, and say what to write", () => {
  const price = { cacheHit: 0, cacheMiss: 1, output: 2 };
  const wrong = (change: Partial<PriceTable>): SimulatorOptions => ({
    prices: { ...defaultPrices, ...change },
  });
  const entries = (list: unknown): SimulatorOptions =>
    wrong({
      models: { ...defaultPrices.models, "deepseek-flash": list as PriceTable["models"][string] },
    });
  const cases: readonly (readonly [string, SimulatorOptions, RegExp])[] = [
    [
      "a model without a price",
      wrong({ models: {} }),
      /deepseek-flash: got undefined; allowed is a price for every model/,
    ],
    ["no entries", entries([]), /a list with one price or more/],
    [
      "a time without a zone",
      entries([{ from: "2026-09-10T10:00", offPeak: price }]),
      /moment with its zone/,
    ],
    ["no such day", entries([{ from: "2026-13-10", offPeak: price }]), /moment with its zone/],
    [
      "entries in disorder",
      entries([
        { from: "2026-09-10", offPeak: price },
        { from: "2026-09-10", offPeak: price },
      ]),
      /\[1\]\.from: got "2026-09-10"; allowed is a moment behind/,
    ],
    [
      "more decimals than can be counted",
      entries([{ from: "2026-09-10", offPeak: { ...price, output: 0.000_000_5 } }]),
      /at most six decimals/,
    ],
    ["a misspelt field", entries([{ from: "2026-09-10", offpeak: price }]), /unknown field "offpeak"/],
    ["hours backwards", wrong({ peak: { ...peak, hours: [[4, 1]] } }), /hours\[0\]\[1\]: got 1/],
    ["an eighth day", wrong({ peak: { ...peak, weekdays: [7] } }), /weekdays\[0\]: got 7/],
    ["a holiday that is no day", wrong({ peak: { ...peak, except: ["Monday"] } }), /except\[0\]/],
    [
      "nobody who decides",
      wrong({ peak: { ...peak, decidedBy: "chance" as "arrival" } }),
      /"arrival" or "completion"/,
    ],
    ["a moment that is none", { now: "tomorrow" }, /^now: got "tomorrow"/],
  ];

  test.each(cases)("%s", async (_name, options, message) => {
    const failure = await startSimulator(options).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SimulatorConfigError);
    expect((failure as Error).message).toMatch(message);
  });
});
