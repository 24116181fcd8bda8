import type { RateLimitReply, RateRules } from "@breakwater/core";
import { expect, test } from "vitest";

import { createKnown } from "./known.ts";

const rules: RateRules = {
  requests: { algorithm: "gcra", limit: 10, perMs: 1_000, burst: 5 },
  tokens: { algorithm: "window", limit: 100, perMs: 1_000, burst: 100 },
};
const reply: RateLimitReply = {
  admitted: true,
  retryAfterMs: 0,
  at: 0,
  requests: { remaining: 1, retryAfterMs: 0, resetMs: 400 },
  tokens: { remaining: 40, retryAfterMs: 0, resetMs: 1_000 },
};

test("what is left is reckoned from what was said last", () => {
  const known = createKnown();
  known.note("a", "k", rules, reply, 50);
  expect(known.remaining("a", 50, 9)).toEqual({ k: { requests: 1, tokens: 40 } });
  expect(known.remaining("a", 49, 9)).toEqual({ k: { requests: 1, tokens: 40 } });
  expect(known.remaining("a", 349, 9)).toEqual({ k: { requests: 3, tokens: 40 } });
  expect(known.remaining("a", 2_000, 9)).toEqual({ k: { requests: 5, tokens: 100 } });
  expect(known.remaining("b", 50, 9)).toEqual({});
});

test("the keys that were used last are shown, and not all are kept", () => {
  const known = createKnown();
  for (let i = 0; i < 1_000; i++) known.note("a", `${i}`, rules, reply, 0);
  known.note("a", "990", rules, reply, 0);
  expect(Object.keys(known.remaining("a", 0, 3)).toSorted()).toEqual(["990", "998", "999"]);
  expect(Object.keys(known.remaining("a", 0, 1_000))).toHaveLength(128);
  for (let i = 0; i < 1_000; i++) known.note(`${i}`, "", rules, reply, 0);
  expect(known.remaining("a", 0, 1)).toEqual({});
});
