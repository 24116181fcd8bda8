import type { Usage } from "@breakwater/core";

import type { ChatUsage } from "../types.ts";

/** Tokens of an attempt, as the policies read them; see `usageOf`. */
export interface PartUsage extends Usage {
  readonly cachedPromptTokens?: number;
  readonly reasoningTokens?: number;
}

/** The usage of an answer in parts: what the last one was told, and what those before it come to. */
export function sumUsage(last: ChatUsage, before: readonly PartUsage[]): ChatUsage {
  const sum = structuredClone(last);
  for (const part of before) {
    const { promptTokens = 0, completionTokens = 0, cachedPromptTokens = 0, reasoningTokens = 0 } = part;
    sum.prompt_tokens += promptTokens;
    sum.completion_tokens += completionTokens;
    sum.total_tokens += part.totalTokens ?? promptTokens + completionTokens;
    // Members that this host does not send stay away, but for tokens that would be lost.
    if (sum.prompt_cache_hit_tokens !== undefined) sum.prompt_cache_hit_tokens += cachedPromptTokens;
    if (sum.prompt_cache_miss_tokens !== undefined)
      sum.prompt_cache_miss_tokens += promptTokens - cachedPromptTokens;
    if (sum.prompt_tokens_details?.cached_tokens !== undefined)
      sum.prompt_tokens_details.cached_tokens += cachedPromptTokens;
    if (reasoningTokens > 0) {
      const details = (sum.completion_tokens_details ??= {});
      details.reasoning_tokens = (details.reasoning_tokens ?? 0) + reasoningTokens;
    }
  }
  return sum;
}

/** Of an answer whose host was stopped before it told anything. */
export function emptyUsage(): ChatUsage {
  return { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
}
