import { ConfigError } from "@breakwater/core";
import { describe, expect, it } from "vitest";

import { createPriceList } from "./price-list.ts";
import { type PriceEntry, prices, type PriceTable } from "./prices.ts";
import { priced } from "./record.ts";

const list = createPriceList("test", prices);
const tokens = { hit: 1_000, miss: 2_000, completion: 3_000, reasoning: 2_500 };

function cost(model: string, at: string, of = list, host = "deepseek"): unknown[] {
  const completedAt = Date.parse(at);
  const { nanoUsd, priceFrom, tier } = priced(of, {
    host,
    model,
    arrivedAt: completedAt,
    completedAt,
    tokens,
  });
  return [tier, nanoUsd, priceFrom];
}

describe("DeepSeek's prices, by hand", () => {
  it.each([
    // 1000 · 3 + 2000 · 150 + 3000 · 600 nanodollars
    ["deepseek-flash", "2026-11-18T12:00:00Z", "offpeak", 2_103_000n, "2026-09-10"],
    ["deepseek-flash", "2026-11-18T02:00:00Z", "peak", 4_206_000n, "2026-09-10"],
    // 1000 · 22 + 2000 · 660 + 3000 · 1980
    ["deepseek-v4-pro", "2026-11-18T12:00:00Z", "offpeak", 7_282_000n, "2026-09-10"],
    ["deepseek-v4-pro", "2026-11-18T09:59:59Z", "peak", 14_564_000n, "2026-09-10"],
    // 1000 · 2.8 + 2000 · 140 + 3000 · 280
    ["deepseek-v4-flash", "2026-07-31T02:00:00Z", "offpeak", 1_122_800n, "2026-04-24"],
    // 1000 · 7 + 2000 · 220 + 3000 · 660
    ["deepseek-v4-flash", "2026-08-01T00:00:00Z", "offpeak", 2_427_000n, "2026-08-01"],
    ["deepseek-v4-flash", "2026-09-10T12:00:00Z", "offpeak", 2_103_000n, "2026-09-10"],
    // 1000 · 3.625 + 2000 · 435 + 3000 · 870
    ["deepseek-v4-pro", "2026-05-04T02:00:00Z", "offpeak", 3_483_625n, "2026-04-24"],
    ["deepseek-v4-flash-vision-exp", "2026-11-18T12:00:00Z", "offpeak", 2_103_000n, "2026-09-10"],
    ["deepseek-flash-1017", "2026-11-18T12:00:00Z", "offpeak", 2_103_000n, "2026-09-10"],
  ])("%s at %s", (model, at, ...expected) => {
    expect(cost(model, at)).toEqual(expected);
  });

  it("are not known of other models, hosts and times, and then the cost is null", () => {
    const nothing = [null, null, null];
    expect(cost("deepseek-chat", "2026-11-18T12:00:00Z")).toEqual(nothing);
    expect(cost("deepseek-v4-pro", "2026-08-20T12:00:00Z")).toEqual(nothing);
    expect(cost("deepseek-flash", "2026-09-09T23:59:59Z")).toEqual(nothing);
    expect(cost("deepseek-flash", "2026-11-18T12:00:00Z", list, "siliconflow")).toEqual(nothing);
    expect(cost("constructor", "2026-11-18T12:00:00Z")).toEqual(nothing);
  });

  it("round once, halves up", () => {
    const of = createPriceList("test", {
      h: { models: { m: [{ from: "2026-01-01", hit: "0.0005", miss: 0.0004, output: 0 }] } },
    });
    const nano = (hit: number, miss: number): bigint | null => {
      const at = Date.parse("2026-02-01");
      const counts = { hit, miss, completion: 0, reasoning: 0 };
      return priced(of, { host: "h", model: "m", arrivedAt: at, completedAt: at, tokens: counts }).nanoUsd;
    };
    expect([nano(1, 0), nano(0, 1), nano(0, 2), nano(1, 1), nano(3, 0)]).toEqual([1n, 0n, 1n, 1n, 2n]);
    // More than a number holds exactly.
    expect(nano(9_007_199_254_740_991, 0)).toBe(4_503_599_627_370_496n);
  });
});

describe("peak hours", () => {
  it.each([
    ["2026-11-23T00:59:59.999Z", "offpeak"], // a Monday
    ["2026-11-23T01:00:00.000Z", "peak"],
    ["2026-11-23T03:59:59.999Z", "peak"],
    ["2026-11-23T04:00:00.000Z", "offpeak"],
    ["2026-11-23T05:59:59.999Z", "offpeak"],
    ["2026-11-23T06:00:00.000Z", "peak"],
    ["2026-11-23T10:00:00.000Z", "offpeak"],
    ["2026-11-20T09:59:59.999Z", "peak"], // a Friday
    ["2026-11-21T02:00:00.000Z", "offpeak"],
    ["2026-11-22T02:00:00.000Z", "offpeak"],
    ["2026-09-30T02:00:00.000Z", "peak"],
    ["2026-10-01T02:00:00.000Z", "offpeak"], // the National Day, a Thursday
    ["2026-10-07T09:00:00.000Z", "offpeak"],
    ["2026-10-08T02:00:00.000Z", "peak"],
  ])("%s is %s", (at, tier) => {
    expect(cost("deepseek-flash", at)[0]).toBe(tier);
  });

  it("are those of the end of an attempt, or of its beginning if the table says so", () => {
    const [arrivedAt, completedAt] = ["2026-11-23T00:59:59Z", "2026-11-23T01:00:01Z"].map(Date.parse) as [
      number,
      number,
    ];
    const tier = (of: PriceTable): unknown =>
      priced(createPriceList("test", of), {
        host: "deepseek",
        model: "deepseek-flash",
        arrivedAt,
        completedAt,
        tokens,
      }).tier;
    expect(tier(prices)).toBe("peak");
    expect(tier({ deepseek: { ...prices.deepseek, peakBy: "arrival" } })).toBe("offpeak");
  });

  it("may be most of the day, every day, as they were around the discount of 2025", () => {
    const hours = { windows: [["00:30", "16:30"]] } as const;
    const v3: PriceEntry = {
      from: "2025-02-26",
      to: "2025-09-05",
      hit: "0.035",
      miss: "0.135",
      output: "0.55",
      peak: { hit: "0.07", miss: "0.27", output: "1.10", hours },
    };
    const of = createPriceList("test", { deepseek: { models: { "deepseek-chat": [v3] } } });
    const tier = (at: string): unknown => cost("deepseek-chat", at, of)[0];
    expect(tier("2025-06-01T00:29:59Z")).toBe("offpeak");
    expect(tier("2025-06-01T00:30:00Z")).toBe("peak");
    expect(tier("2025-06-01T16:30:00Z")).toBe("offpeak");
    expect(tier("2025-09-05T00:00:00Z")).toBe(null);
  });
});

describe("a table that cannot be", () => {
  const entry: PriceEntry = { from: "2026-01-01", hit: 0, miss: "1", output: 2 };
  const hours = { windows: [["01:00", "04:00"]] };
  const of = (...entries: unknown[]): unknown => ({ h: { models: { m: entries } } });

  it.each([
    [/prices must be an object, got \[\]/, []],
    [/prices\.h must be an object, got 1/, { h: 1 }],
    [/prices\.h\.models must be an object, got nothing/, { h: {} }],
    [/unknown "prices\.h\.peekBy"; known are models, aliases, peakBy/, { h: { models: {}, peekBy: "x" } }],
    [/prices\.h\.peakBy must be "completion" or "arrival", got "x"/, { h: { models: {}, peakBy: "x" } }],
    [/prices\.h\.aliases\.a must name a model/, { h: { models: {}, aliases: { a: "b" } } }],
    [/prices\.h\.models\.m must be a list of prices, such as \[\{ from: "2026-09-10"/, of()],
    [/m\[0\]\.from must be a day or a moment with its zone/, of({ ...entry, from: "yesterday" })],
    [/m\[0\]\.from must be .*, got "2026-01-01T00:00"/, of({ ...entry, from: "2026-01-01T00:00" })],
    [/m\[0\]\.to must be later than from/, of({ ...entry, to: "2026-01-01" })],
    [/m\[0\]\.hit must be US dollars .* six decimals/, of({ ...entry, hit: 0.1 + 0.2 })],
    [/m\[0\]\.miss must be US dollars .*, got "-1"/, of({ ...entry, miss: "-1" })],
    [/m\[0\]\.output must be US dollars .*, got "10n"/, of({ ...entry, output: 10n })],
    [/m\[0\]\.output must be US dollars .*, got nothing/, of({ ...entry, output: undefined })],
    [/m\[1\]\.from must be later than that of the price before it/, of(entry, entry)],
    [
      /m\[0\]\.to must not be later than the beginning of the next price/,
      of({ ...entry, to: "2026-03-01" }, { ...entry, from: "2026-02-01" }),
    ],
    [/unknown "prices\.h\.models\.m\[0\]\.peak\.from"/, of({ ...entry, peak: { ...entry, hours } })],
    [/m\[0\]\.peak\.hours must be an object/, of({ ...entry, peak: { hit: 0, miss: 1, output: 2 } })],
  ])("is told so: %s", (message, table) => {
    const make = (): unknown => createPriceList("test", table as PriceTable);
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(message);
  });

  it.each([
    [{ windows: [["04:00", "01:00"]] }, /windows must be a list of pairs of times of one day/],
    [{ windows: [["01:00", "24:01"]] }, /windows must be a list of pairs/],
    [{ windows: [["1", "4"]] }, /windows must be a list of pairs/],
    [{ ...hours, weekdays: [7] }, /weekdays must be a list of weekdays, 0 for Sunday/],
    [{ ...hours, holidays: ["2026-13-01"] }, /holidays must be a list of days/],
  ])("hours %j", (wrong, message) => {
    const price = { hit: 0, miss: 1, output: 2, hours: wrong };
    const table = of({ ...entry, peak: price }) as PriceTable;
    expect(() => createPriceList("test", table)).toThrow(message);
  });
});
