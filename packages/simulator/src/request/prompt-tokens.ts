import type { ChatRequest } from "./types.ts";

// CJK ideographs, kana, hangul and full-width forms.
const wide = /[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]/g;

/** Prompt tokens by DeepSeek's published rule of thumb: 0.3 per Latin and 0.6 per CJK character, and 4 per message. */
export function promptTokens(request: ChatRequest): number {
  let characters = 0;
  let wideCharacters = 0;
  const count = (text: string): void => {
    characters += text.length;
    wideCharacters += text.match(wide)?.length ?? 0;
  };
  for (const message of request.messages) {
    if (typeof message.content === "string") count(message.content);
    else if (message.content) count(JSON.stringify(message.content));
    if (message.reasoning_content) count(message.reasoning_content);
    if (message.tool_calls) count(JSON.stringify(message.tool_calls));
  }
  if (request.tools?.length) count(JSON.stringify(request.tools));
  const tokens = 0.3 * (characters - wideCharacters) + 0.6 * wideCharacters;
  // Rounded first: 0.3 * 10 is a hair above 3.
  return Math.ceil(Number(tokens.toFixed(6))) + 4 * request.messages.length;
}
