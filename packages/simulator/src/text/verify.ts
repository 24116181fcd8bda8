import type { ChatRequest } from "../request/types.ts";
import { expectedText, type TextOptions } from "./answer.ts";

/**
 * - `complete`: every token, in order.
 * - `prefix`: right as far as it goes, and then it stops: a cut answer, perhaps empty.
 * - `wrong`: a token is missing, repeated, swapped, or belongs to somebody else's answer.
 */
export type Verdict = "complete" | "prefix" | "wrong";

/** What a caller received. A part that is left out is not judged. */
export interface ReceivedText {
  content?: string | null;
  reasoning?: string | null;
}

/**
 * Judges what a caller received against the one right answer. A string is the content alone; pass an object to have
 * the reasoning judged too. Use the same seed, header and `text` settings as the simulator had.
 *
 * @example
 * ```ts
 * import { expectedText, verifyText } from "@breakwater/simulator";
 *
 * const request = { model: "deepseek-flash", messages: [{ role: "user" as const, content: "Hello" }] };
 * const { content } = expectedText(request, { seed: 7 });
 * verifyText(request, content, { seed: 7 }); // => "complete"
 * verifyText(request, content.slice(0, 10), { seed: 7 }); // => "prefix"
 * ```
 */
export function verifyText(
  request: ChatRequest,
  received: string | ReceivedText,
  options: TextOptions = {},
): Verdict {
  const expected = expectedText(request, options);
  const { content, reasoning } =
    typeof received === "string" ? { content: received, reasoning: undefined } : received;
  const verdicts = [
    ...(reasoning === undefined ? [] : [judge(expected.reasoning, reasoning ?? "")]),
    ...(content === undefined ? [] : [judge(expected.content, content ?? "")]),
  ];
  if (verdicts.includes("wrong")) return "wrong";
  return verdicts.includes("prefix") ? "prefix" : "complete";
}

function judge(expected: string, received: string): Verdict {
  if (received === expected) return "complete";
  return expected.startsWith(received) ? "prefix" : "wrong";
}
