import type { Usage } from "@breakwater/core";

import { type FimRequest, isFim } from "./fim.ts";
import { estimatePrompt } from "./tokens/estimate.ts";
import type { ChatRequest } from "./types.ts";

/** DeepSeek fills in no more than this. */
const FIM_TOKENS = 4_096;

/**
 * Tokens that a request may use at most, to be reserved before it is sent: an estimate of the prompt, and `max_tokens`
 * or what DeepSeek takes when it is not given.
 */
export function costOf(request: ChatRequest | FimRequest): Usage {
  const most = isFim(request) ? FIM_TOKENS : defaultMaxTokens(request);
  return usageOf(estimatePrompt(request), request.max_tokens ?? most);
}

function usageOf(prompt: number, completionTokens: number): Usage {
  const promptTokens = Math.ceil(prompt);
  return { promptTokens, completionTokens, totalTokens: promptTokens + completionTokens, estimated: true };
}

function defaultMaxTokens(request: ChatRequest): number {
  if (request.thinking?.type === "disabled") return 8_192;
  return request.reasoning_effort === "max" ? 131_072 : 65_536;
}
