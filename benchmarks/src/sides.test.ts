import { expect, test } from "vitest";

import { check, makeCalls } from "./calls.ts";
import { CASES } from "./cases.ts";
import { setUp } from "./sides.ts";

const all = CASES.flatMap((one) =>
  one.sides.map((side) => ({ one, side, name: one.name, label: side.label })),
);

test.each(all)("$name: $label comes to what it says, again and again", async ({ one, side }) => {
  const subject = await setUp(one, side);
  await check(subject);
  await makeCalls(subject, 100);
  await check(subject);
});

test("a side that comes to something else is found out", async () => {
  await expect(check({ call: () => 1, comes: "answer" })).rejects.toThrow(/instead of answer/);
  await expect(check({ call: () => 42, comes: "throw" })).rejects.toThrow(/answer instead of throw/);
});
