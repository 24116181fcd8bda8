import type { ExpectedToolCall, ToolToken } from "../text/tool-calls.ts";
import type { Dialect } from "./dialects.ts";

/** Why an answer ended. `null` is what chunks before the last one say. */
export type FinishReason =
  | "stop"
  | "length"
  | "tool_calls"
  | "content_filter"
  | "insufficient_system_resource"
  | "aborted";

/** Token counts in the order and with the names of the API. */
export interface Usage {
  readonly promptTokens: number;
  readonly cacheHitTokens: number;
  /** Content and tool calls. */
  readonly contentTokens: number;
  /** Undefined when thinking is off: then the API leaves the details out. */
  readonly reasoningTokens?: number;
}

/** What stays the same over all chunks of an answer. */
export interface AnswerHead {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
  readonly fingerprint: string;
  /** One for each tool call. */
  readonly callIds: readonly string[];
}

export const keepAliveJson = "\n";
export const streamDone = "data: [DONE]\n\n";

/** One server-sent event. */
export const event = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`;

/** The `usage` object of the API. */
export function usageOf(usage: Usage, dialect: Dialect): Record<string, unknown> {
  const completion = usage.contentTokens + (usage.reasoningTokens ?? 0);
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: completion,
    total_tokens: usage.promptTokens + completion,
    prompt_tokens_details: { cached_tokens: usage.cacheHitTokens },
    ...(usage.reasoningTokens === undefined
      ? {}
      : { completion_tokens_details: { reasoning_tokens: usage.reasoningTokens } }),
    ...(dialect.cacheFields
      ? {
          prompt_cache_hit_tokens: usage.cacheHitTokens,
          prompt_cache_miss_tokens: usage.promptTokens - usage.cacheHitTokens,
        }
      : {}),
  };
}

/** The chunks of one streamed answer. */
export interface ChunkWriter {
  /** What comes before the first token. */
  role(): string;
  reasoning(text: string): string;
  content(text: string): string;
  tool(token: ToolToken): string;
  finish(reason: FinishReason, usage: Usage): string;
}

export interface WriterOptions {
  readonly thinking: boolean;
  readonly includeUsage: boolean;
  readonly dialect: Dialect;
}

/** A chunk up to its choices: serialised once, so that the rest of a chunk is string concatenation. */
export const opened = (fields: object): string => `data: ${JSON.stringify(fields).slice(0, -1)},"choices":[`;

/** The end of an answer: the last chunk has the usage, or one without choices behind it. */
export function ending(
  before: string,
  choice: string,
  usage: Usage,
  { dialect, includeUsage }: WriterOptions,
): string {
  const counted = JSON.stringify(usageOf(usage, dialect));
  if (dialect.usage === "last") return `${before}${choice}],"usage":${counted}}\n\n`;
  const last = `${before}${choice}]${includeUsage ? ',"usage":null' : ""}}\n\n`;
  return includeUsage ? `${last}${before}],"usage":${counted}}\n\n` : last;
}

/** Makes the chunks of a chat with the key order of the recorded ones. */
export function createChunkWriter(head: AnswerHead, options: WriterOptions): ChunkWriter {
  const { thinking, includeUsage, dialect } = options;
  const before = opened({
    id: head.id,
    object: "chat.completion.chunk",
    created: head.created,
    model: head.model,
    system_fingerprint: head.fingerprint,
  });
  const delta = (fields: string, finish = "null"): string =>
    `{"index":0,"delta":{${fields}},"logprobs":null,"finish_reason":${finish}}`;
  // Only with include_usage do the chunks before the last carry the field, and then as null.
  const chunk = (fields: string): string =>
    `${before}${delta(fields)}]${includeUsage ? ',"usage":null' : ""}}\n\n`;
  const field = `"${dialect.reasoningField}":`;

  return {
    role: () =>
      chunk(thinking ? `"role":"assistant","content":null,${field}""` : '"role":"assistant","content":""'),
    reasoning: (text) => chunk(`"content":null,${field}${JSON.stringify(text)}`),
    content: (text) => chunk(`"content":${JSON.stringify(text)}${thinking ? `,${field}null` : ""}`),
    tool({ call, name, piece }) {
      const called =
        name === undefined
          ? { index: call, function: { arguments: piece } }
          : {
              index: call,
              id: head.callIds[call],
              type: "function",
              function: { name, arguments: piece },
            };
      return chunk(`"tool_calls":[${JSON.stringify(called)}]`);
    },
    finish: (reason, usage) =>
      ending(before, delta(`"content":""${thinking ? `,${field}null` : ""}`, `"${reason}"`), usage, options),
  };
}

/** What a JSON body says. */
export interface WholeAnswer {
  readonly content: string;
  /** Undefined when thinking is off. */
  readonly reasoning?: string;
  readonly toolCalls: readonly ExpectedToolCall[];
  readonly finish: FinishReason;
  readonly usage: Usage;
}

/** The body of an answer that was not streamed. */
export function completionBody(head: AnswerHead, answer: WholeAnswer, dialect: Dialect): string {
  const calls = answer.toolCalls.map((call, index) => ({
    index,
    id: head.callIds[index],
    type: "function",
    function: { name: call.name, arguments: call.arguments },
  }));
  return JSON.stringify({
    id: head.id,
    object: "chat.completion",
    created: head.created,
    model: head.model,
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: answer.content,
          ...(answer.reasoning === undefined ? {} : { [dialect.reasoningField]: answer.reasoning }),
          ...(calls.length === 0 ? {} : { tool_calls: calls }),
        },
        logprobs: null,
        finish_reason: answer.finish,
      },
    ],
    usage: usageOf(answer.usage, dialect),
    system_fingerprint: head.fingerprint,
  });
}
