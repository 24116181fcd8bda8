import { expect, test } from "vitest";

import { ticksOf } from "./ticks.ts";

test("counts the turns until a promise is settled", async () => {
  const inner = async (): Promise<number> => 1;
  expect(await ticksOf(() => 1)).toBe(0);
  expect(await ticksOf(inner)).toBe(1);
  expect(await ticksOf(() => inner().then((n) => n))).toBe(2);
  expect(await ticksOf(async () => await inner())).toBe(2);
  expect(await ticksOf(() => Promise.reject(new Error("refused")))).toBe(1);
});
