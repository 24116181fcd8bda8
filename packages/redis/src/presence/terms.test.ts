import type { RateRule } from "@breakwater/core";
import { describe, expect, it } from "vitest";

import { breakerTerms, permitTerms, rateTerms } from "./terms.ts";

const gcra = (limit: number, perMs: number, burst = limit): RateRule => ({
  algorithm: "gcra",
  limit,
  perMs,
  burst,
});
const window = (limit: number, perMs: number): RateRule => ({
  algorithm: "window",
  limit,
  perMs,
  burst: limit,
});

describe("of rates that differ", () => {
  it.each([
    ["the lower limit", gcra(10, 1_000), gcra(5, 1_000), gcra(5, 1_000)],
    [
      "the lower rate, whatever it is counted in",
      gcra(100, 60_000, 2),
      gcra(2, 1_000, 2),
      gcra(100, 60_000, 2),
    ],
    [
      "the rate of the one and the burst of the other",
      gcra(10, 1_000, 20),
      gcra(20, 1_000, 3),
      gcra(10, 1_000, 3),
    ],
    ["the lower limit of windows", window(10, 1_000), window(5, 1_000), window(5, 1_000)],
    [
      "of windows, the smaller one at the lower rate",
      window(100, 1_000),
      window(1_000, 60_000),
      window(100, 6_000),
    ],
    ["of a bucket and a window, the window", gcra(10, 1_000, 4), window(10, 1_000), window(4, 400)],
  ])("holds %s", (_, a, b, holds) => {
    expect(rateTerms.lower({ requests: a }, { requests: b })).toEqual({ requests: holds });
    expect(rateTerms.lower({ tokens: b }, { tokens: a })).toEqual({ tokens: holds });
  });

  it("holds a limit that only one has", () => {
    const holds = rateTerms.lower({ requests: gcra(10, 1_000) }, { tokens: gcra(5, 1_000) });
    expect(holds).toEqual({ requests: gcra(10, 1_000), tokens: gcra(5, 1_000) });
  });
});

it("of permits holds the lower limit", () => {
  expect(permitTerms.lower(3, 2)).toBe(2);
  expect(permitTerms.show(2)).toEqual({ limit: 2 });
});

it("of circuits is told the one that opens first, from wherever it is looked at", () => {
  const config = {
    window: { calls: 100 },
    failureRate: 0.5,
    slowRate: 1,
    minimumCalls: 20,
    openForMs: 1_000,
    maxOpenForMs: 60_000,
    probes: 1,
    probeLeaseMs: 1_000,
    rampMs: 0,
  } as const;
  const strict = { ...config, failureRate: 0.2 };
  const soon = { ...config, minimumCalls: 5 };
  for (const other of [strict, soon]) {
    expect(breakerTerms.lower(config, other)).toBe(other);
    expect(breakerTerms.lower(other, config)).toBe(other);
  }
});

it("only numbers of their kind fit", () => {
  const good = gcra(10, 1_000);
  expect(
    [{ requests: good }, { tokens: window(1, 1) }, { requests: good, tokens: good }].every(rateTerms.fits),
  ).toBe(true);
  const bad = [
    null,
    7,
    [],
    {},
    { requests: 7 },
    { requests: { ...good, limit: 0 } },
    { requests: { ...good, burst: null } },
    { requests: { ...good, algorithm: "other" } },
    { requests: good, tokens: { ...good, perMs: "1" } },
  ];
  expect(bad.filter(rateTerms.fits)).toEqual([]);
  expect([null, "7", 0, -1, {}, Number.NaN].filter(permitTerms.fits)).toEqual([]);
  expect(permitTerms.fits(7)).toBe(true);
  expect([null, {}, { failureRate: 1 }].filter(breakerTerms.fits)).toEqual([]);
  expect(breakerTerms.fits({ failureRate: 0.5, minimumCalls: 10 })).toBe(true);
});
