import { expect, test } from "vitest";

import { createRng, hashText } from "./rng.ts";

test("the same parts give the same stream; any other part gives another", () => {
  const stream = (...parts: (string | number)[]): string => createRng(...parts).hex(64);
  expect(stream(7, "scope", 0)).toBe(stream(7, "scope", 0));
  expect(stream(7, "scope", 0)).not.toBe(stream(7, "scope", 1));
  expect(stream(7, "scope", 0)).not.toBe(stream(8, "scope", 0));
  // The parts are kept apart: "a", "b" is not "ab".
  expect(stream("a", "b")).not.toBe(stream("ab"));
});

test("numbers are spread evenly over [0, 1)", () => {
  const rng = createRng("spread");
  const buckets = Array.from({ length: 10 }, () => 0);
  for (let i = 0; i < 20_000; i++) {
    const bucket = Math.floor(rng.next() * 10);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  expect(Math.min(...buckets)).toBeGreaterThan(1800);
  expect(Math.max(...buckets)).toBeLessThan(2200);
});

test("the first draw of neighbouring scopes is not correlated: 2 % of requests is 2 % of requests", () => {
  let hits = 0;
  for (let i = 0; i < 20_000; i++) if (createRng(7, `user-${i}`, 0, "rule:stall").next() < 0.02) hits += 1;
  expect(hits).toBeGreaterThan(300);
  expect(hits).toBeLessThan(500);
});

test("normal draws have mean 0 and deviation 1", () => {
  const rng = createRng("normal");
  const draws = Array.from({ length: 10_000 }, () => rng.normal());
  const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length;
  const variance = draws.reduce((sum, draw) => sum + (draw - mean) ** 2, 0) / draws.length;
  expect(Math.abs(mean)).toBeLessThan(0.05);
  expect(Math.abs(Math.sqrt(variance) - 1)).toBeLessThan(0.05);
});

test("uuids are version 4 and hashes differ by a character", () => {
  expect(createRng(1).uuid()).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  expect(hashText("hello")).not.toBe(hashText("hellp"));
});
