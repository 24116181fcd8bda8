import type { ChatMessage, ChatRequest } from "../request/types.ts";
import { hashText, mix } from "../rng.ts";
import { answerLength, headOf, parseLength, type GivenLength, type LengthSettings } from "./lengths.ts";
import { words } from "./words.ts";

/** What, besides the request itself, decides the text of an answer. */
export interface TextOptions extends LengthSettings {
  /** Seed of the simulator. @default 1 */
  seed?: number;
  /** The request's `x-sim-tokens` header, when it had one. */
  tokens?: string;
}

/** The one right answer to a request. */
export interface ExpectedText {
  /** The whole answer. */
  readonly content: string;
  /** The whole reasoning; empty when thinking is off. */
  readonly reasoning: string;
  readonly contentTokens: number;
  readonly reasoningTokens: number;
  /** `length` when `max_tokens` cut the answer. */
  readonly finishReason: "stop" | "length";
}

/** An answer whose tokens are made one at a time, so that a long one costs nothing until it is sent. */
export interface Answer {
  readonly reasoningTokens: number;
  readonly contentTokens: number;
  readonly cut: boolean;
  reasoning(index: number): string;
  content(index: number): string;
}

/** Which text the messages stand for. A trailing prefix message is not part of it: it is the answer's own beginning. */
function nonceOf(seed: number, messages: readonly ChatMessage[]): number {
  const parts = messages
    .filter((message) => message.prefix !== true)
    .map((message) => [message.role, message.content]);
  return hashText(JSON.stringify(parts), mix(seed));
}

function token(nonce: number, index: number): string {
  const word = words[mix(nonce + Math.imul(index + 1, 0x9e3779b1)) & 0xff] as string;
  return index === 0 ? word : ` ${word}`;
}

function givenLength(request: ChatRequest, tokens: string | undefined): GivenLength {
  const text = tokens ?? request.metadata?.sim;
  if (text == null) return {};
  // The object form goes the same way: it comes from a caller's JSON and may hold anything.
  const given = parseLength(
    typeof text === "string"
      ? text
      : Object.entries(text)
          .map((part) => part.join("="))
          .join(),
  );
  if (typeof given === "string") throw new TypeError(given);
  return given;
}

/** The answer that every simulator with this seed gives to `request`. */
export function answerOf(request: ChatRequest, options: TextOptions = {}): Answer {
  const nonce = nonceOf(options.seed ?? 1, request.messages);
  const length = answerLength(request, nonce, givenLength(request, options.tokens), options);
  const reasoningNonce = mix(nonce ^ 0x5ea50);
  // A continuation starts at the token behind the prefix, so that both together are the uninterrupted answer.
  const head = headOf(request);
  return {
    reasoningTokens: length.reasoning,
    contentTokens: length.content,
    cut: length.cut,
    reasoning: (index) => token(reasoningNonce, head.reasoning + index),
    content: (index) => token(nonce, head.content + index),
  };
}

/**
 * The full text that a simulator with this seed answers to `request`: no server needed.
 *
 * The text depends on the seed and the messages; its length also on `max_tokens`, on `thinking`, on `metadata.sim` or
 * the header `x-sim-tokens` (`options.tokens`) and on the simulator's own `text` settings. It does not depend on time,
 * model, key, order of arrival or on which attempt it is, so two hosts with one seed answer alike. For a request that
 * ends with a prefix message it is the continuation: prefix and continuation together are the uninterrupted answer.
 *
 * @example
 * ```ts
 * import { expectedText } from "@breakwater/simulator";
 *
 * const request = { model: "deepseek-flash", messages: [{ role: "user" as const, content: "Hello" }] };
 * const { content, contentTokens } = expectedText(request, { seed: 7 });
 * content.split(" ").length === contentTokens; // => true
 * ```
 */
export function expectedText(request: ChatRequest, options: TextOptions = {}): ExpectedText {
  const answer = answerOf(request, options);
  return {
    content: join(answer.contentTokens, answer.content),
    reasoning: join(answer.reasoningTokens, answer.reasoning),
    contentTokens: answer.contentTokens,
    reasoningTokens: answer.reasoningTokens,
    finishReason: answer.cut ? "length" : "stop",
  };
}

function join(count: number, part: (index: number) => string): string {
  let text = "";
  for (let i = 0; i < count; i++) text += part(i);
  return text;
}
