import { describe, expect, test } from "vitest";

import { createRng } from "../rng.ts";
import { createRule, type FaultRule, type RuleFacts } from "./rules.ts";

const facts: RuleFacts = {
  path: "/chat/completions",
  method: "POST",
  model: "deepseek-flash",
  key: "sk-sim-1",
  account: "account-1",
  replica: "a",
  userId: undefined,
  stream: true,
  headers: { "x-team": "search" },
  scope: "anna",
};

/** Names of the actions that `count` requests get; "-" for none. */
function play(
  rule: FaultRule,
  count: number,
  vary: (index: number) => Partial<RuleFacts> = () => ({}),
  now = 0,
): string {
  const active = createRule("rule", rule, "rule-1");
  return Array.from({ length: count }, (_, index) => {
    const these = { ...facts, ...vary(index) };
    return active.apply(these, now, (purpose) => createRng(7, these.scope, index, purpose))?.name ?? "-";
  }).join(" ");
}

describe("match", () => {
  test.each<[string, FaultRule["match"], Partial<RuleFacts>, boolean]>([
    ["completions by default", {}, {}, true],
    ["completions by default, not models", {}, { path: "/models" }, false],
    ["another path, when named", { path: "/models" }, { path: "/models" }, true],
    ["method", { method: "get" }, {}, false],
    ["model", { model: "deepseek-v4-pro" }, {}, false],
    ["account", { account: "account-1" }, {}, true],
    ["user", { userId: "anna" }, {}, false],
    ["stream", { stream: false }, {}, false],
    ["header value", { header: { "X-Team": "search" } }, {}, true],
    ["another header value", { header: { "x-team": "ads" } }, {}, false],
    ["any header value", { header: { "x-team": "*" } }, {}, true],
    ["a header that is absent", { header: { "x-other": "*" } }, {}, false],
  ])("%s", (_name, match, vary, applies) => {
    expect(play({ ...(match === undefined ? {} : { match }), action: "503" }, 1, () => vary)).toBe(
      applies ? "503" : "-",
    );
  });

  test("a window in time: the end is excluded", () => {
    const rule: FaultRule = { match: { window: { fromMs: 100, toMs: 200 } }, action: "503" };
    expect([99, 100, 199, 200].map((now) => play(rule, 1, undefined, now))).toEqual(["-", "503", "503", "-"]);
  });
});

describe("nth counts the requests that meet everything else", () => {
  test.each<[FaultRule["match"] & object, string]>([
    [{ nth: 2 }, "- 503 - - - -"],
    [{ nth: [1, 4] }, "503 - - 503 - -"],
    [{ nth: { from: 3, to: 4 } }, "- - 503 503 - -"],
    [{ nth: { every: 3 } }, "- - 503 - - 503"],
    [{ nth: 2, stream: true }, "- - 503 - - -"],
  ])("%o", (match, expected) => {
    expect(
      play({ match, action: "503" }, 6, (index) => ({
        stream: index % 2 === 0 || match.stream === undefined,
      })),
    ).toBe(expected);
  });

  test("for each scope on its own, when asked to", () => {
    const scopes = ["anna", "ben", "anna", "ben"];
    const vary = (index: number): Partial<RuleFacts> => ({ scope: scopes[index] as string });
    expect(play({ match: { nth: 2, perScope: true }, action: "503" }, 4, vary)).toBe("- - 503 503");
  });
});

test("times bounds how often a rule applies", () => {
  expect(play({ times: 2, action: "503" }, 4)).toBe("503 503 - -");
});

test("a list is walked through once", () => {
  expect(play({ action: ["503", "none", { name: "stall_after", tokens: 5 }] }, 5)).toBe(
    "503 none stall_after - -",
  );
});

test("probability is a share of the requests, and the same requests every time", () => {
  const rule: FaultRule = { match: { probability: 0.3 }, action: "503" };
  const first = play(rule, 1000);
  expect(first.split(" ").filter((name) => name === "503").length).toBeGreaterThan(250);
  expect(first.split(" ").filter((name) => name === "503").length).toBeLessThan(350);
  expect(play(rule, 1000)).toBe(first);
  expect(play({ action: "503;p=0.3" }, 1000)).toBe(first);
});

test.each<[unknown, RegExp]>([
  [{ action: "504" }, /rule\.action: got "504"; allowed is one of .*504_html/],
  [{ action: "stall_after;token=5" }, /stall_after: got "token"; allowed is one of tokens, ms/],
  [{ action: "stall_after;tokens=-1" }, /stall_after;tokens: got -1; allowed is a number of 0 or more/],
  [{ action: "stall_after;tokens" }, /rule\.action: got "tokens"; allowed is param=value/],
  [{ action: "503;p=30" }, /rule\.action;p: got 30; allowed is a number of 0 or more and at most 1/],
  [{ action: [] }, /rule\.action: got \[\]/],
  [{ action: "503", match: { nth: 0 } }, /rule\.match\.nth: got 0/],
  [{ action: "503", match: { probability: Number.NaN } }, /rule\.match\.probability: got NaN/],
  [{ action: "503", match: { window: { fromMs: 5, toMs: 5 } } }, /rule\.match\.window\.toMs: got 5/],
  [{ action: "503", when: {} }, /rule: got the unknown field "when"/],
  [{ action: "503", match: { scope: "a" } }, /rule\.match: got the unknown field "scope"/],
])("a rule that is wrong is refused: %o", (rule, message) => {
  expect(() => createRule("rule", rule, "rule-1")).toThrow(message);
});
