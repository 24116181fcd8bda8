import { readFileSync } from "node:fs";

import { systemRuntime } from "@breakwater/core";
import { scenarios, type ScenarioPhase } from "@breakwater/simulator";
import { expect, test } from "vitest";

import { coarse, quickRules, quickRuntime } from "./quicker.ts";

test("windows, offsets and patience of rules are divided, and nothing else", () => {
  const rules = `
    - alert: Slow # looks 5m back
      expr: |
        avg_over_time(x[1d] offset 1h) / rate(y:p99_10m[10m]) > 60 and z{s="5m"} >= 20
      for: 5m
      annotations: { summary: "for 5m" }
`;
  expect(quickRules(rules, 50)).toBe(`
    - alert: Slow # looks 5m back
      expr: |
        avg_over_time(x[1728000ms] offset 72000ms) / rate(y:p99_10m[12000ms]) > 60 and z{s="5m"} >= 20
      for: 6000ms
      annotations: { summary: "for 5m" }
`);
});

test("of the alerts that are copied, none looks at minutes", () => {
  const rules = readFileSync(new URL("../../../ops/prometheus/alerts.yml", import.meta.url), "utf8");
  const lines = quickRules(rules, 50).split("\n");
  expect(lines.filter((line) => /\[\d+[smhd]\]|^\s*for: \d+[smhd]$/.test(line))).toEqual([]);
  expect(lines.filter((line) => /\[\d+ms\]/.test(line)).length).toBeGreaterThan(10);
});

test("on a quick clock time passes faster, and timers come as much earlier", async () => {
  const real = systemRuntime();
  const quick = quickRuntime(0.001);
  const start = { real: real.now(), quick: quick.now(), wall: quick.wallNow() };
  await new Promise<void>((resolve) => void quick.setTimer(10_000, resolve));
  expect(quick.now() - start.quick).toBeGreaterThanOrEqual(10_000);
  expect(quick.wallNow() - start.wall).toBeGreaterThanOrEqual(9_000);
  expect(quick.now() - start.quick).toBeGreaterThan(100 * (real.now() - start.real));
});

test("an evening of fewer tokens is as long, and as bad", () => {
  const { capacity, durationMs, phases } = scenarios["busy-evening"];
  const coarser = coarse(scenarios["busy-evening"], 8);
  expect(coarser.capacity).toEqual({ ...capacity, decodeSpeed: 1 / 8 });
  expect(coarser.durationMs).toBe(durationMs);
  expect(coarser.phases.map(({ faults }) => faults?.map(({ action }) => action))[0]).toEqual([
    "stall_after;tokens=0..50",
    "truncate_clean;tokens=0..50",
    "isr;tokens=0",
    "isr;tokens=0..25",
    "reset_mid_stream;tokens=0..50",
  ]);
  const speeds = (list: readonly ScenarioPhase[]) => list.map((phase) => phase.capacity?.decodeSpeed);
  expect(speeds(coarser.phases)).toEqual(speeds(phases).map((speed) => speed && speed / 8));
});
