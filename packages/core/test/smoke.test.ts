import { expect, it } from "vitest";

import { createClient, upstream } from "../src/index.ts";
it("answers", async () => {
  const ask = createClient(upstream((n: number) => n + 1));
  expect(await ask(1)).toBe(2);
  expect(ask.outcome(1)).toMatchObject({ status: "answered", value: 2 });
});
