import { isFim } from "../fim.ts";
import type { AssistantMessage, ChatMessage, ChatRequest } from "../types.ts";

/** What the reader of an answer has been given of it. */
export interface Delivered {
  readonly content: string;
  readonly reasoning: string;
  /** Reasoning and content together. DeepSeek sends one token in a chunk, so chunks are counted. */
  readonly tokens: number;
  readonly reasoningTokens: number;
}

/** The host may need a few tokens to come to an end, and what is left is an estimate. */
const FEWEST_TOKENS = 16;

/**
 * Whether the answer to this request could be continued as text. Not where it may hold anything else: tool calls, JSON
 * as a format, several choices, log probabilities. Turns with tools are not documented together with prefixes.
 */
export function canContinue(request: ChatRequest & { readonly n?: unknown }): boolean {
  const { logprobs, messages, n, response_format: format, tools, tool_choice: choice } = request;
  return (
    request.stream === true &&
    !isFim(request) &&
    (n === undefined || n === null || n === 1) &&
    (format === undefined || format === null || format.type === "text") &&
    logprobs !== true &&
    (tools === undefined || tools === null || tools.length === 0 || choice === "none") &&
    !messages.some((message) => isOfTools(message)) &&
    (!isContinuation(request) || typeof messages.at(-1)?.content === "string")
  );
}

function isOfTools(message: ChatMessage | null): boolean {
  // What comes in over HTTP may hold anything; its host will say what is wrong with it.
  if (message === null || message.role === "tool") return true;
  return message.role === "assistant" && (message.tool_calls?.length ?? 0) > 0;
}

/** Whether a request asks for the continuation of a text. */
export function isContinuation(request: ChatRequest): boolean {
  const last = isFim(request) ? undefined : request.messages.at(-1);
  return last?.role === "assistant" && last.prefix === true;
}

/** The first half of a character of two code units, if the text ends in one: gateways cut there, and no host takes it. */
export function halfAtEnd(text: string): string {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? text.slice(-1) : "";
}

/** The request for the rest of an answer, of which so much has been delivered. */
export function continuationOf(request: ChatRequest, delivered: Delivered): ChatRequest {
  const { content, reasoning, tokens } = delivered;
  const { max_tokens: limit, messages } = request;
  const last = messages.at(-1);
  // The request may have begun the answer itself.
  const own = isContinuation(request) ? (last as AssistantMessage) : undefined;
  const begun = typeof own?.content === "string" ? own.content : "";
  // Half a character is made again, and costs what it cost before.
  const half = halfAtEnd(content).length;
  const whole = content.slice(0, content.length - half);
  const prefix: AssistantMessage = {
    ...own,
    role: "assistant",
    content: begun + whole,
    ...(reasoning !== "" && { reasoning_content: (own?.reasoning_content ?? "") + reasoning }),
    prefix: true,
  };
  return {
    ...request,
    messages: [...(own === undefined ? messages : messages.slice(0, -1)), prefix],
    ...(typeof limit === "number" && { max_tokens: Math.max(FEWEST_TOKENS, limit - tokens + half) }),
  };
}
