import { type FimRequest, isFim } from "../fim.ts";
import type { ChatRequest } from "../types.ts";

/** DeepSeek's published rule of thumb, in tenths of a token: those can be multiplied exactly. */
const PER_CHARACTER = 3;
const PER_CJK_CHARACTER = 6;

/**
 * Tokens that a text comes to by DeepSeek's rule of thumb: 0.3 a character, 0.6 a Chinese, Japanese or Korean one. Not
 * rounded, so that the estimates of its pieces add up.
 *
 * @example
 * ```ts
 * import { estimateTokens } from "@breakwater/deepseek";
 *
 * estimateTokens("a quiet sea"); // => 3.3
 * estimateTokens("静かな海"); // => 2.4
 * ```
 */
export function estimateTokens(text: string): number {
  // Prompts are long, and most of them Latin: an engine knows of such a string, without a look at it, that there is none.
  if (!BEYOND_LATIN.test(text)) return (text.length * PER_CHARACTER) / 10;
  let characters = text.length;
  let cjk = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < FIRST_CJK) continue;
    if (isLowSurrogate(code)) characters--;
    else if (isCjk(code)) cjk++;
  }
  return (cjk * PER_CJK_CHARACTER + (characters - cjk) * PER_CHARACTER) / 10;
}

/**
 * Tokens that the prompt of a request comes to by the same rule: all text in the messages, what was thought and the
 * arguments of tools included, and the tools as the JSON that the model is shown. The name of its role stands for what
 * the host puts around a message. Pictures are not text, and count nothing.
 */
export function estimatePrompt(request: ChatRequest | FimRequest): number {
  if (isFim(request)) return estimateTokens(request.prompt) + estimateTokens(request.suffix ?? "");
  const { messages, tools } = request;
  const asTools = Array.isArray(tools) && tools.length > 0 ? estimateTokens(JSON.stringify(tools)) : 0;
  return tokensIn(messages) + asTools;
}

/** Sums all text, whatever the shape: what comes in over HTTP need not be what the types say. */
function tokensIn(value: unknown): number {
  if (typeof value === "string") return estimateTokens(value);
  if (typeof value !== "object" || value === null) return 0;
  let tokens = 0;
  for (const [name, member] of Object.entries(value)) if (name !== "image_url") tokens += tokensIn(member);
  return tokens;
}

/** Nothing before it is any of what is looked for. */
const FIRST_CJK = 0x1100;
const BEYOND_LATIN = /[\u1100-\uffff]/;

/** Han, kana, hangul, their punctuation and full-width forms; of a surrogate pair, the half that comes first. */
function isCjk(code: number): boolean {
  return (
    (code >= 0x2e80 && code <= 0x9fff) ||
    (code >= 0xac00 && code <= 0xd7ff) ||
    code <= 0x11ff ||
    (code >= 0xa960 && code <= 0xa97f) ||
    (code >= 0xd840 && code <= 0xd88f) || // U+20000 to U+33FFF: rare Han
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe4f) ||
    (code >= 0xff00 && code <= 0xffef)
  );
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
