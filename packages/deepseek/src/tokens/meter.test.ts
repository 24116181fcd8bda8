import { ConfigError } from "@breakwater/core";
import { describe, expect, test } from "vitest";

import { bench, completion } from "../fake-fetch.test-help.ts";
import type { ChatRequest } from "../types.ts";
import { deepseekUpstream } from "../upstream.ts";
import { createTokenMeter, type TokenMeterOptions } from "./meter.ts";

const meter = (options: Partial<TokenMeterOptions> = {}) =>
  createTokenMeter({ modelOf: ({ model = "m" }) => model, reserveOutput: "recent", ...options });

const asking = (request: Partial<ChatRequest> = {}): ChatRequest => ({ messages: [], ...request });

describe("the output that is reserved", () => {
  test("is 4,096 tokens before anything is known, or the less that it may come to", () => {
    const { reserve } = meter();
    expect(reserve(asking())).toMatchObject({ completionTokens: 4_096, estimated: true });
    expect(reserve(asking({ max_tokens: 100 })).completionTokens).toBe(100);
    expect(reserve(asking({ max_tokens: 10_000 })).completionTokens).toBe(4_096);
    expect(reserve({ prompt: "x" }).completionTokens).toBe(4_096);
  });

  test("is what nine in ten recent answers did not exceed, and never more than max_tokens", () => {
    const { learn, reserve } = meter();
    for (let i = 1; i <= 10; i++) learn(asking(), { completionTokens: 100 * i });
    expect(reserve(asking()).completionTokens).toBe(900);
    expect(reserve(asking({ max_tokens: 500 })).completionTokens).toBe(500);
  });

  test("is known of each model, and of thinking apart from not thinking", () => {
    const { learn, reserve } = meter();
    const quick = { thinking: { type: "disabled" } } as const;
    for (let i = 0; i < 10; i++) learn(asking(quick), { completionTokens: 50 });
    expect(reserve(asking(quick)).completionTokens).toBe(50);
    expect(reserve(asking()).completionTokens).toBe(4_096);
    expect(reserve(asking({ ...quick, model: "other" })).completionTokens).toBe(4_096);
  });

  test("can be the most that an answer may come to", () => {
    const { learn, reserve } = meter({ reserveOutput: "max" });
    for (let i = 0; i < 10; i++) learn(asking(), { completionTokens: 50 });
    expect(reserve(asking()).completionTokens).toBe(65_536);
    expect(reserve(asking({ max_tokens: 70_000 })).completionTokens).toBe(70_000);
  });

  test.each([-5, Number.NaN, null])("takes max_tokens %s for none", (limit) => {
    expect(meter({ reserveOutput: "max" }).reserve(asking({ max_tokens: limit })).completionTokens).toBe(
      65_536,
    );
  });
});

describe("the prompt", () => {
  const long = asking({ messages: [{ role: "user", content: "a".repeat(9_996) }] });

  test("is corrected by what the host counted, for this model", () => {
    const { learn, reserve } = meter();
    expect(reserve(long).promptTokens).toBe(3_000);
    for (let i = 0; i < 100; i++) learn(long, { promptTokens: 6_000 });
    expect(reserve(long).promptTokens).toBeGreaterThan(5_900);
    expect(reserve(long).promptTokens).toBeLessThanOrEqual(6_000);
    expect(reserve({ ...long, model: "other" }).promptTokens).toBe(3_000);
  });

  test("is counted once for its reservation and its end, and anew for the next", () => {
    let asked = 0;
    const { learn, reserve } = meter({ countTokens: () => ++asked });
    reserve(long);
    learn(long, { promptTokens: 1 });
    expect(asked).toBe(1);
    reserve(long);
    expect(asked).toBe(2);
  });

  test.each([-1, Number.NaN, Infinity])("that comes to %s is told to be none", (tokens) => {
    expect(() => meter({ countTokens: () => tokens }).reserve(long)).toThrow(ConfigError);
    expect(() => meter({ countTokens: () => tokens }).reserve(long)).toThrow(
      "countTokens must give a number of tokens of at least 0, got",
    );
  });
});

test.each<[object, string]>([
  [{ reserveOutput: "some" }, 'reserveOutput must be one of "recent", "max", got "some"'],
  [{ countTokens: 4 }, "countTokens must be a function"],
])("refuses %o", (options, says) => {
  expect(() => deepseekUpstream({ apiKey: "k", ...options })).toThrow(says);
});

test("an answer is not lost to a countTokens that throws", async () => {
  let broken = false;
  const { ask, next, outcome } = bench({
    countTokens: () => {
      if (broken) throw new Error("no tokenizer");
      return 7;
    },
  });
  const thrown: string[] = [];
  ask.on((event) => void (event.type === "callback-throw" && thrown.push(event.where)));
  broken = true;
  const asked = outcome();
  const told = JSON.parse(completion()) as { usage?: unknown };
  delete told.usage;
  (await next()).respond(200, JSON.stringify(told));
  expect(await asked).toMatchObject({ status: "answered" });
  expect(thrown).toEqual(["countTokens"]);
});
