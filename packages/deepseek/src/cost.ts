import type { Usage } from "@breakwater/core";

import { type FimRequest, isFim } from "./fim.ts";
import type { ChatRequest } from "./types.ts";

/** DeepSeek's published rule of thumb. */
const PER_CHARACTER = 0.3;
const PER_CJK_CHARACTER = 0.6;

/** DeepSeek fills in no more than this. */
const FIM_TOKENS = 4_096;

/**
 * Tokens that a request may use at most, to be reserved before it is sent: an estimate of the prompt, and `max_tokens`
 * or what DeepSeek takes when it is not given.
 */
export function costOf(request: ChatRequest | FimRequest): Usage {
  if (isFim(request))
    return usageOf(tokensIn([request.prompt, request.suffix]), request.max_tokens ?? FIM_TOKENS);
  const prompt = tokensIn(request.messages) + tokensIn(request.tools ?? []);
  return usageOf(prompt, request.max_tokens ?? defaultMaxTokens(request));
}

function usageOf(prompt: number, completionTokens: number): Usage {
  const promptTokens = Math.ceil(prompt);
  return { promptTokens, completionTokens, totalTokens: promptTokens + completionTokens, estimated: true };
}

function defaultMaxTokens(request: ChatRequest): number {
  if (request.thinking?.type === "disabled") return 8_192;
  return request.reasoning_effort === "max" ? 131_072 : 65_536;
}

/** Sums all text, whatever the shape; pictures are not text. */
function tokensIn(value: unknown): number {
  if (typeof value === "string") return estimate(value);
  if (typeof value !== "object" || value === null) return 0;
  let tokens = 0;
  for (const [name, member] of Object.entries(value)) if (name !== "image_url") tokens += tokensIn(member);
  return tokens;
}

function estimate(text: string): number {
  let cjk = 0;
  for (let i = 0; i < text.length; i++) if (isCjk(text.charCodeAt(i))) cjk++;
  return cjk * PER_CJK_CHARACTER + (text.length - cjk) * PER_CHARACTER;
}

/** Han, kana, hangul and their punctuation. */
function isCjk(code: number): boolean {
  return (
    (code >= 0x2e80 && code <= 0x9fff) ||
    (code >= 0xac00 && code <= 0xd7af) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xff00 && code <= 0xffef)
  );
}
