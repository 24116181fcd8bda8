import { expect, test } from "vitest";

import { wrongClocks } from "./clock-check.ts";

test("a clock that nobody changed is found, and one that a busy machine held up is not", () => {
  const checks = [
    { clock: "setTimeout", realMs: 100.8 },
    { clock: "setInterval", realMs: 135 },
    { clock: "Date.now", realMs: 99.9 },
    { clock: "AbortSignal.timeout", realMs: 1_001 },
    { clock: "performance.now", realMs: 50 },
  ];
  expect(wrongClocks(checks, 0.1).map(({ clock }) => clock)).toEqual([
    "AbortSignal.timeout",
    "performance.now",
  ]);
});
