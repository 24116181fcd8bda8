import type { ChatRequest, FimRequest } from "./types.ts";

// CJK ideographs, kana, hangul and full-width forms.
const wideRanges: readonly (readonly [number, number])[] = [
  [0x1100, 0x11ff],
  [0x2e80, 0x9fff],
  [0xac00, 0xd7af],
  [0xf900, 0xfaff],
  [0xff00, 0xffef],
];

/** Twice as many tokens as a Latin letter. */
export const isWide = (code: number): boolean =>
  code >= 0x1100 && wideRanges.some(([from, to]) => code >= from && code <= to);

/** A part of a prompt as the model reads it: whose it is, and what it says. */
export interface PromptPart {
  readonly role: string;
  readonly texts: readonly string[];
}

/** What a message costs beside its text. */
const messageTokens = 4;

/** The parts of a prompt, in the order in which they are read: tools come first, as part of the system's say. */
export function promptParts(request: ChatRequest | FimRequest): readonly PromptPart[] {
  if ("prompt" in request) return [{ role: "fim", texts: [request.prompt, request.suffix ?? ""] }];
  const tools = request.tools?.length ? [{ role: "tools", texts: [JSON.stringify(request.tools)] }] : [];
  const messages = request.messages.map((message) => {
    const { role, content, reasoning_content: reasoning, tool_calls: calls } = message;
    const said = typeof content === "string" ? content : content ? JSON.stringify(content) : "";
    return { role, texts: [said, reasoning ?? "", calls ? JSON.stringify(calls) : ""] };
  });
  return [...tools, ...messages];
}

/** Tokens that a part has on top of its text. */
export const overhead = (part: PromptPart): number =>
  part.role === "tools" || part.role === "fim" ? 0 : messageTokens;

/** Prompt tokens by DeepSeek's published rule of thumb: 0.3 per Latin and 0.6 per CJK character, and 4 per message. */
export function promptTokens(request: ChatRequest | FimRequest): number {
  let characters = 0;
  let wideCharacters = 0;
  let extra = 0;
  for (const part of promptParts(request)) {
    extra += overhead(part);
    for (const text of part.texts) {
      characters += text.length;
      for (let i = 0; i < text.length; i++) if (isWide(text.charCodeAt(i))) wideCharacters += 1;
    }
  }
  const tokens = 0.3 * (characters - wideCharacters) + 0.6 * wideCharacters;
  // Rounded first: 0.3 * 10 is a hair above 3.
  return Math.ceil(Number(tokens.toFixed(6))) + extra;
}
