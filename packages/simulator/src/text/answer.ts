import type { ChatMessage, ChatRequest, FimRequest } from "../request/types.ts";
import { hashText, mix } from "../rng.ts";
import { answerLength, limitOf, parseLength, type GivenLength, type LengthSettings } from "./lengths.ts";
import { spokenBy } from "./spoken.ts";
import {
  blankTokens,
  firstOf,
  joinTokens,
  jsonTokens,
  mixedTokens,
  plainTokens,
  remainderOf,
  type Tokens,
} from "./tokens.ts";
import {
  callsOf,
  callsWanted,
  toolCallsOf,
  toolTokensOf,
  type ExpectedToolCall,
  type ToolToken,
} from "./tool-calls.ts";

/** What answers are made of, and how long they are. */
export interface TextSettings extends LengthSettings {
  /**
   * Mixes ideographs, emoji and combining marks into the words, and lets some emoji span two tokens: for clients that
   * must not break characters. @default false
   */
  unicode?: boolean;
  /**
   * Says the answer to a request, for tests in which the meaning counts: a label, an extracted name. It must say the same
   * to the same request. `undefined` leaves the answer to the seed, and so do answers that call tools; reasoning and FIM
   * are never asked about. `max_tokens` cuts it like any answer.
   */
  content?: (request: ChatRequest) => string | undefined;
  /** The part of the requests with tools, 0 to 1, that are answered with a tool call unasked. @default 0 */
  toolCallRate?: number;
}

/** What, besides the request itself, decides the text of an answer. */
export interface TextOptions extends TextSettings {
  /** Seed of the simulator. @default 1 */
  seed?: number;
  /** The request's `x-sim-tokens` header, when it had one. */
  tokens?: string;
  /** The request's `x-sim-answer` header, when it had one. */
  answer?: "tools" | "text";
}

/** The one right answer to a request. */
export interface ExpectedText {
  /** The whole answer. */
  readonly content: string;
  /** The whole reasoning; empty when thinking is off. */
  readonly reasoning: string;
  readonly contentTokens: number;
  readonly reasoningTokens: number;
  /** Calls in their order; when `max_tokens` cut the answer, the last one may be incomplete. */
  readonly toolCalls: readonly ExpectedToolCall[];
  /** `length` when `max_tokens` cut the answer. */
  readonly finishReason: "stop" | "length" | "tool_calls";
}

/** An answer whose tokens are made one at a time, so that a long one costs nothing until it is sent. */
export interface Answer {
  readonly reasoningTokens: number;
  readonly contentTokens: number;
  /** Behind the content. A call's name is one token, and each piece of its arguments another. */
  readonly toolTokens: number;
  readonly cut: boolean;
  reasoning(index: number): string;
  content(index: number): string;
  tool(index: number): ToolToken;
}

/** Which text a request stands for. A trailing prefix message is not part of it: it is the answer's own beginning. */
function nonceOf(seed: number, request: ChatRequest | FimRequest): number {
  const parts =
    "prompt" in request
      ? ["fim", request.prompt, request.suffix ?? ""]
      : request.messages
          .filter((message) => message.prefix !== true)
          .map((message) => [message.role, message.content]);
  return hashText(JSON.stringify(parts), mix(seed));
}

function givenLength(request: ChatRequest | FimRequest, tokens: string | undefined): GivenLength {
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

const textOf = (content: ChatMessage["content"]): string =>
  typeof content === "string" ? content : content == null ? "" : JSON.stringify(content);

type Form = "text" | "json" | "blank";

function formOf(request: ChatRequest | FimRequest): Form {
  if ("prompt" in request || request.response_format?.type !== "json_object") return "text";
  return request.messages.some((message) => /json/i.test(textOf(message.content))) ? "json" : "blank";
}

/** The answer that every simulator with this seed gives to `request`. */
export function answerOf(request: ChatRequest | FimRequest, options: TextOptions = {}): Answer {
  const nonce = nonceOf(options.seed ?? 1, request);
  const given = givenLength(request, options.tokens);
  const whole = answerLength(request, nonce, given, options);
  const text = (from: number, total: number): Tokens =>
    options.unicode === true ? mixedTokens(from, total) : plainTokens(from);

  const calls = "prompt" in request ? [] : callsFor(request, nonce, given, options, text);
  const toolTokens = toolTokensOf(calls);
  const form = calls.length > 0 ? "text" : formOf(request);
  const spoken = calls.length > 0 || form === "blank" ? undefined : spokenBy(options.content, request);
  const length = spoken?.length ?? lengthIn(form, calls.length > 0 ? (given.content ?? 0) : whole.content);
  const content = {
    text: () => text(nonce, length),
    json: () => jsonTokens(text(nonce, length - 2), length),
    blank: () => blankTokens,
    spoken: () => (index: number) => spoken?.[index] as string,
  }[spoken === undefined ? form : "spoken"]();

  // A continuation starts behind the prefix, so that both together are the uninterrupted answer.
  const prefix = prefixOf(request);
  const contentLeft = remainderOf(content, length, prefix.content);
  // Whoever has begun to speak has finished thinking.
  const thought = prefix.content === "" ? whole.reasoning : 0;
  const reasoningLeft = remainderOf(text(mix(nonce ^ 0x5ea50), thought), thought, prefix.reasoning);

  const limit = limitOf(request);
  const reasoningTokens = Math.min(reasoningLeft.tokens, limit);
  const contentTokens = Math.min(contentLeft.tokens, limit - reasoningTokens);
  const tools = Math.min(toolTokens.length, limit - reasoningTokens - contentTokens);
  return {
    reasoningTokens,
    contentTokens,
    toolTokens: tools,
    cut:
      reasoningTokens + contentTokens + tools < reasoningLeft.tokens + contentLeft.tokens + toolTokens.length,
    reasoning: firstOf(reasoningLeft, reasoningTokens),
    content: firstOf(contentLeft, contentTokens),
    tool: (index) => toolTokens[index] as ToolToken,
  };
}

/** White space comes without an end. */
const lengthIn = (form: Form, tokens: number): number => (form === "blank" ? Infinity : tokens);

function callsFor(
  request: ChatRequest,
  nonce: number,
  given: GivenLength,
  options: TextOptions,
  text: (nonce: number, total: number) => Tokens,
): readonly ExpectedToolCall[] {
  const wish = { calls: given.tools, answer: options.answer, rate: options.toolCallRate ?? 0 };
  return toolCallsOf(request, nonce, callsWanted(request, nonce, wish), text);
}

function prefixOf(request: ChatRequest | FimRequest): { content: string; reasoning: string } {
  const last = "prompt" in request ? undefined : request.messages.at(-1);
  if (last?.prefix !== true) return { content: "", reasoning: "" };
  return {
    content: typeof last.content === "string" ? last.content : "",
    reasoning: last.reasoning_content ?? "",
  };
}

/**
 * The full text that a simulator with this seed answers to `request`: no server needed.
 *
 * The text depends on the seed and the messages (tool calls also on `tools`, FIM on `prompt` and `suffix`); its length
 * also on `max_tokens`, on `thinking`, on `metadata.sim` or the header `x-sim-tokens` (`options.tokens`) and on the
 * simulator's own `text` settings. It does not depend on time, model, key, order of arrival or on which attempt it is,
 * so two hosts with one seed answer alike. For a request that ends with a prefix message it is the continuation: prefix
 * and continuation together are the uninterrupted answer, wherever it was cut.
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
export function expectedText(request: ChatRequest | FimRequest, options: TextOptions = {}): ExpectedText {
  const answer = answerOf(request, options);
  const tools = Array.from({ length: answer.toolTokens }, (_, index) => answer.tool(index));
  return {
    content: joinTokens(answer.contentTokens, answer.content),
    reasoning: joinTokens(answer.reasoningTokens, answer.reasoning),
    contentTokens: answer.contentTokens,
    reasoningTokens: answer.reasoningTokens,
    toolCalls: callsOf(tools),
    finishReason: finishOf(answer),
  };
}

/** How a whole answer ends. */
export function finishOf(answer: Answer): ExpectedText["finishReason"] {
  if (answer.cut) return "length";
  return answer.toolTokens > 0 ? "tool_calls" : "stop";
}
