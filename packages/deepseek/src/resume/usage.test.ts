import { expect, test } from "vitest";

import { emptyUsage, sumUsage } from "./usage.ts";

const told = {
  prompt_tokens: 20,
  completion_tokens: 10,
  total_tokens: 30,
  prompt_tokens_details: { cached_tokens: 16 },
  prompt_cache_hit_tokens: 16,
  prompt_cache_miss_tokens: 4,
};
const before = {
  promptTokens: 13,
  completionTokens: 7,
  totalTokens: 20,
  cachedPromptTokens: 5,
  reasoningTokens: 3,
};

test("usage of parts adds up, in every member that the host sends, and of reasoning in any case", () => {
  const last = structuredClone(told);
  expect(sumUsage(last, [before, { promptTokens: 1, completionTokens: 1 }])).toEqual({
    prompt_tokens: 34,
    completion_tokens: 18,
    total_tokens: 52,
    prompt_tokens_details: { cached_tokens: 21 },
    prompt_cache_hit_tokens: 21,
    prompt_cache_miss_tokens: 13,
    completion_tokens_details: { reasoning_tokens: 3 },
  });
  expect(last).toEqual(told);
});

test("members that the host does not send stay away", () => {
  expect(sumUsage(emptyUsage(), [{ ...before, reasoningTokens: 0 }])).toEqual({
    prompt_tokens: 13,
    completion_tokens: 7,
    total_tokens: 20,
  });
});
