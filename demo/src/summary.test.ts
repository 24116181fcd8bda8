import { describe, expect, test } from "vitest";

import { latenciesOf } from "./latencies.ts";
import { reportOf } from "./report.ts";
import { answered, attempt, call, cut, failed, garbled, hung, refused } from "./samples.test-help.ts";
import { summarize } from "./summary.ts";
import { markdownTable, terminalTable } from "./table.ts";
import { wastedTokens } from "./waste.ts";

const result = {
  column: "sdk",
  calls: [
    call("call-1", answered, 2_000, 500),
    call("call-2", answered, 4_000, 700),
    call("call-3", cut, 3_000, 600),
    call("call-4", garbled, 3_000, 600),
    call("call-5", failed, 9_000),
    call("call-6", refused, 10),
    call("call-7", hung, 300_000, 800),
    call("call-8", hung, 300_000),
  ],
  attempts: [
    attempt("call-1", "faulted", 20),
    attempt("call-1", "completed", 100),
    attempt("call-2", "completed", 50),
    attempt("call-3", "faulted", 30),
    attempt("call-5", "completed", 7),
  ],
} as const;

describe("the figures of a column", () => {
  const summary = summarize(result, 10_000);

  test("every call has one fate", () => {
    expect(summary.fates).toEqual({ correct: 2, cut: 2, error: 1, refused: 1, hung: 2 });
    expect(summary).toMatchObject({ calls: 8, lookedSuccessful: 4, garbled: 1, goodputPerSecond: 0.2 });
    expect(summary.errors).toEqual([{ kind: "503", count: 1 }]);
  });

  test("who hangs counts in the latencies with the time until the cut-off", () => {
    expect(summary.answered).toMatchObject({ count: 6, meanMs: 102_000 });
    expect(summary.answered.p99Ms / 300_000).toBeCloseTo(1, 2);
    expect(summary.firstToken.count).toBe(6);
    expect(summary.toError.count).toBe(1);
    expect(summary.toRefusal.p50Ms).toBe(10);
  });

  test("tokens are wasted unless they are the one whole answer of a call that was answered well", () => {
    expect(summary).toMatchObject({ upstreamRequests: 5, wastedTokens: 20 + 30 + 7 });
    expect(
      wastedTokens(
        [attempt("call-1", "completed", 10), attempt("call-1", "completed", 12)],
        new Set(["call-1"]),
      ),
    ).toBe(10);
  });

  test("the report has these fields and no others", () => {
    expect(reportOf([summary])).toEqual([
      {
        column: "sdk",
        calls: 8,
        lookedSuccessful: 4,
        verifiedRate: 0.25,
        silentlyCut: 2,
        hung: 2,
        meanMs: 102_000,
        p50Ms: summary.answered.p50Ms,
        p95Ms: summary.answered.p95Ms,
        p99Ms: summary.answered.p99Ms,
        goodputPerSecond: 0.2,
        upstreamRequests: 5,
        wastedTokens: 57,
      },
    ]);
  });

  test("the table says the same on a terminal and in Markdown", () => {
    for (const table of [terminalTable([summary]), markdownTable([summary])]) {
      expect(table).toContain("openai SDK");
      expect(table).toContain("2 (25.0 %)");
    }
    expect(markdownTable([summary]).split("\n")[1]).toBe("| --- | ---: |");
  });
});

test("a column without a call has no rates, and no NaN", () => {
  const summary = summarize({ column: "sdk", calls: [], attempts: [] }, 10_000);
  expect(JSON.stringify(reportOf([summary]))).not.toContain("null");
  expect(terminalTable([summary])).not.toContain("NaN");
});

test("percentiles are those of the values, within a thousandth", () => {
  const latencies = latenciesOf(Array.from({ length: 10_000 }, (_, index) => index + 1));
  expect(latencies.meanMs).toBe(5_001);
  expect(latencies.p50Ms / 5_000).toBeCloseTo(1, 2);
  expect(latencies.p99Ms / 9_900).toBeCloseTo(1, 2);
});
