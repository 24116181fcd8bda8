import { refuse } from "../checks.ts";
import type { ChatRequest, FimRequest } from "../request/types.ts";

/** The tokens of what is said to a request: words with the blanks before them. Undefined where nothing is said. */
export function spokenBy(
  say: ((request: ChatRequest) => string | undefined) | undefined,
  request: ChatRequest | FimRequest,
): readonly string[] | undefined {
  if (say === undefined || "prompt" in request) return undefined;
  const text: unknown = saidBy(say, request);
  if (text === undefined) return undefined;
  if (typeof text !== "string") {
    refuse("text.content()", text, "a text, or undefined to leave the answer to the seed", '() => "yes"');
  }
  return text.match(/\s*\S+|\s+/g) ?? [];
}

/** What a test's own function throws must not look like an answer of DeepSeek's, and must not end the simulator. */
function saidBy(say: (request: ChatRequest) => string | undefined, request: ChatRequest): unknown {
  try {
    return say(request);
  } catch (error) {
    return refuse("text.content()", String(error), "a function that does not throw", "() => undefined");
  }
}
