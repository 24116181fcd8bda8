import type { ChatRequest, FimRequest } from "../request/types.ts";
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
  /** Calls as they came; their ids are not judged. */
  toolCalls?: readonly { readonly name: string; readonly arguments: string }[] | null;
}

/**
 * Judges what a caller received against the one right answer. A string is the content alone; pass an object to have
 * the reasoning and the tool calls judged too. Use the same seed, header and `text` settings as the simulator had.
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
  request: ChatRequest | FimRequest,
  received: string | ReceivedText,
  options: TextOptions = {},
): Verdict {
  const expected = expectedText(request, options);
  const { content, reasoning, toolCalls }: ReceivedText =
    typeof received === "string" ? { content: received } : received;
  const verdicts = [
    ...(reasoning === undefined ? [] : [judge(expected.reasoning, reasoning ?? "")]),
    ...(content === undefined ? [] : [judge(expected.content, content ?? "")]),
    ...(toolCalls === undefined ? [] : [judge(flat(expected.toolCalls), flat(toolCalls ?? []))]),
  ];
  if (verdicts.includes("wrong")) return "wrong";
  return verdicts.includes("prefix") ? "prefix" : "complete";
}

/** One text for all calls: a call that is missing at the end, or cut, makes a prefix of it. */
const flat = (calls: NonNullable<ReceivedText["toolCalls"]>): string =>
  calls.map((call) => `${call.name}\u0000${call.arguments}`).join("\u0000");

function judge(expected: string, received: string): Verdict {
  if (received === expected) return "complete";
  return expected.startsWith(received) ? "prefix" : "wrong";
}
