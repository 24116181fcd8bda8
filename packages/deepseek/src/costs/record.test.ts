import { DISCARDED, type Ending } from "@breakwater/core";
import { describe, expect, it } from "vitest";

import { categoryOf, type CostCategory, spentBy, tokensOf } from "./record.ts";

type How = "answered" | "failed" | "cancelled" | "discarded";

function ending(how: How): Ending {
  return how === "discarded"
    ? { status: "cancelled", error: DISCARDED, endedAt: 1 }
    : { status: how, endedAt: 1 };
}

describe("what an attempt was good for", () => {
  it.each<[attempt: How, call: How, also: string, CostCategory]>([
    ["answered", "answered", "", "useful"],
    ["answered", "answered", "given", "useful"],
    ["answered", "answered", "followed", "retryWaste"], // an answer that nobody liked
    ["answered", "failed", "", "failed"],
    ["answered", "cancelled", "", "cancelled"],
    ["answered", "discarded", "", "hedgeWaste"],
    ["failed", "answered", "followed", "retryWaste"],
    ["failed", "answered", "", "retryWaste"], // a fallback or a stale answer took its place
    ["failed", "answered", "given followed", "useful"], // it was continued
    ["failed", "failed", "given followed", "failed"],
    ["failed", "cancelled", "given followed", "cancelled"],
    ["failed", "failed", "followed", "retryWaste"],
    ["failed", "failed", "", "failed"],
    ["failed", "failed", "given", "failed"],
    ["failed", "cancelled", "", "failed"], // while its caller waited for the next
    ["cancelled", "cancelled", "", "cancelled"],
    ["cancelled", "failed", "", "failed"], // a clock around all attempts
    ["cancelled", "failed", "followed", "retryWaste"], // a clock around this one
    ["cancelled", "answered", "", "hedgeWaste"],
    ["discarded", "answered", "", "hedgeWaste"],
    ["discarded", "answered", "followed", "hedgeWaste"],
    ["discarded", "cancelled", "", "cancelled"],
    ["cancelled", "discarded", "", "hedgeWaste"],
  ])("%s in a call that is %s %s: %s", (attempt, call, also, category) => {
    expect(
      categoryOf({
        attempt: ending(attempt),
        call: ending(call),
        given: also.includes("given"),
        followed: also.includes("followed"),
      }),
    ).toBe(category);
  });
});

describe("what an attempt spent", () => {
  const nothing = { hit: 0, miss: 0, completion: 0, reasoning: 0 };
  const failed = (more: Partial<Ending> = {}): Ending => ({ status: "failed", endedAt: 1, ...more });

  it("is what the host told, the context cache taken out of the prompt", () => {
    const usage = { promptTokens: 10, completionTokens: 5, cachedPromptTokens: 4, reasoningTokens: 2 };
    expect(spentBy(failed(), usage)).toEqual({ hit: 4, miss: 6, completion: 5, reasoning: 2 });
    expect(tokensOf({ promptTokens: 10, completionTokens: 5 })).toEqual({
      hit: 0,
      miss: 10,
      completion: 5,
      reasoning: 0,
    });
  });

  it("is not known where the half of it is missing, or is no number of tokens", () => {
    expect(tokensOf({ promptTokens: 10 })).toBeUndefined();
    expect(tokensOf({ promptTokens: 1.5, completionTokens: 1 })).toBeUndefined();
    expect(tokensOf({ promptTokens: 1, completionTokens: -1 })).toBeUndefined();
  });

  it("is nothing where the upstream says so; else nobody knows", () => {
    expect(spentBy(failed({ spent: false }), undefined)).toEqual(nothing);
    expect(spentBy(failed({ spent: true }), undefined)).toBeUndefined();
    expect(spentBy(failed(), undefined)).toBeUndefined();
    expect(spentBy(ending("answered"), undefined)).toBeUndefined();
  });
});
