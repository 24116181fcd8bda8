import { checkScenario } from "@breakwater/simulator";
import { describe, expect, test } from "vitest";

import { bandsOf } from "./bands.ts";
import { evenings, severities } from "./evening.ts";

describe.each(severities)("%s", (severity) => {
  const { deepseek, durationMs, second } = evenings[severity];

  test("is an evening that the simulator can play, and says why its numbers are what they are", () => {
    for (const scenario of [deepseek, second]) {
      expect(checkScenario(scenario)).toBe(scenario);
      for (const { note } of scenario.phases) expect(note).toMatch(/\w/);
    }
  });

  test("begins calmly", () => {
    expect(Math.min(...deepseek.phases.map(({ fromMs }) => fromMs))).toBe(45_000);
    for (const { fromMs, toMs } of bandsOf(deepseek, durationMs)) expect(toMs).toBeGreaterThan(fromMs);
  });
});
