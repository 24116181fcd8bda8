import { expect, test } from "vitest";

import { remember } from "./remember.ts";

test("what is asked again and again is worked out once, and what is not is forgotten", () => {
  const worked = new Map<string, number>();
  const upper = remember(8, (text) => {
    worked.set(text, (worked.get(text) ?? 0) + 1);
    return text.toUpperCase();
  });
  upper("rare");
  for (let i = 0; i < 100; i++) {
    expect(upper("often")).toBe("OFTEN");
    upper(`once ${i}`);
  }
  expect(worked.get("often")).toBe(1);
  expect(upper("rare")).toBe("RARE");
  expect(worked.get("rare")).toBe(2);
});

test("at least half of what it may hold is there", () => {
  let worked = 0;
  const length = remember(8, (text) => {
    worked++;
    return text.length;
  });
  for (let round = 0; round < 10; round++) for (const text of ["a", "bb", "ccc", "dddd"]) length(text);
  expect(worked).toBe(4);
});
