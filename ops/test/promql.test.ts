import { describe, expect, test } from "vitest";

import { complaintsAbout, labelsIn, metricsIn } from "./support/promql.ts";

describe("an expression", () => {
  test("of what is there is nothing to complain about", () => {
    const expr =
      'histogram_quantile(0.9, sum by (job, le) (rate(breakwater_call_duration_seconds_bucket{outcome=~"answered|failed"}[5m])))';
    expect(complaintsAbout(expr)).toEqual([]);
    expect(metricsIn(expr)).toEqual(["breakwater_call_duration_seconds_bucket"]);
    expect(labelsIn(expr)).toEqual(["job", "le"]);
  });

  test.each([
    ["breakwater_calls", "nobody tells breakwater_calls"],
    ["rate(breakwater_call_duration_seconds[5m])", "nobody tells breakwater_call_duration_seconds"],
    ["client:breakwater_calls:rate5m", "nobody tells client:breakwater_calls:rate5m"],
    ['breakwater_calls_total{policy="a"}', "breakwater_calls_total has no label policy"],
    ['breakwater_calls_total{outcome="success"}', "outcome of breakwater_calls_total is never success"],
    [
      'breakwater_breaker_circuits{state=~"opened|half-.*"}',
      "state of breakwater_breaker_circuits is never opened",
    ],
    ["sum by (tenant) (breakwater_calls_in_flight)", "nothing has the label tenant"],
  ])("%s names what is not there", (expr, complaint) => {
    expect(complaintsAbout(expr)).toEqual([complaint]);
  });
});
