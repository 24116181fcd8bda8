import { describe, expect, it } from "vitest";

import {
  around,
  bulkhead,
  cache,
  circuitBreaker,
  createClient,
  fallback,
  type Policy,
  retry,
  timeout,
  upstream,
} from "./index.ts";

const marking = upstream(async (n: number) => n, { marks: ["dispatched", "token", "headers"] });
const lints = (...policies: Policy[]): string[] =>
  createClient(marking, ...policies)
    .describe()
    .lints.map((lint) => lint.code);

/** The policy of @breakwater/deepseek, as far as its place is concerned. */
const resume = (): Policy => around("resume", { name: "resume", run: (call, next) => next(call.fork()) });

describe("lints", () => {
  it("are silent over the order that the guide recommends", () => {
    expect(
      lints(
        timeout({ name: "total", total: "10m" }),
        fallback({ value: () => 0 }),
        retry(),
        circuitBreaker(),
        bulkhead({ concurrency: 5 }),
        timeout({ firstToken: "1m", idle: "1m" }),
      ),
    ).toEqual([]);
  });

  it.each<[string, () => Policy[]]>([
    ["breaker-outside-retry", () => [timeout({ total: 1 }), circuitBreaker(), retry()]],
    ["bulkhead-outside-retry", () => [timeout({ total: 1 }), bulkhead({ concurrency: 1 }), retry()]],
    ["fallback-inside-retry", () => [timeout({ total: 1 }), retry(), fallback({ value: () => 0 })]],
    ["total-inside-retry", () => [retry(), timeout({ total: 1 })]],
    ["attempt-clock-outside-retry", () => [timeout({ firstToken: 1 }), retry()]],
    ["resume-inside-retry", () => [timeout({ total: 1 }), retry(), resume()]],
    ["cache-inside-resume", () => [timeout({ total: 1 }), resume(), cache({ ttl: "1m", key: String })]],
    ["retry-in-retry", () => [timeout({ total: 1 }), retry(), retry({ name: "again" })]],
    ["no-timeout", () => [retry()]],
  ])("know %s", (code, policies) => {
    expect(lints(...policies())).toEqual([code]);
    const [lint] = createClient(marking, ...policies()).describe().lints;
    expect(lint?.message.length).toBeGreaterThan(40);
  });
});
