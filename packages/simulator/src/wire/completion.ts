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
}

export const keepAliveStream = ": keep-alive\n\n";
export const keepAliveJson = "\n";
export const streamDone = "data: [DONE]\n\n";

/** One server-sent event. */
export const event = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`;

/** The `usage` object of the API. */
function usageOf(usage: Usage): Record<string, unknown> {
  const completion = usage.contentTokens + (usage.reasoningTokens ?? 0);
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: completion,
    total_tokens: usage.promptTokens + completion,
    prompt_tokens_details: { cached_tokens: usage.cacheHitTokens },
    ...(usage.reasoningTokens === undefined
      ? {}
      : { completion_tokens_details: { reasoning_tokens: usage.reasoningTokens } }),
    prompt_cache_hit_tokens: usage.cacheHitTokens,
    prompt_cache_miss_tokens: usage.promptTokens - usage.cacheHitTokens,
  };
}

/** The chunks of one streamed answer. */
export interface ChunkWriter {
  role(): string;
  reasoning(text: string): string;
  content(text: string): string;
  finish(reason: FinishReason, usage: Usage): string;
}

/**
 * Makes chunks with the key order of the recorded ones. The parts that never change are serialised once: the rest of a
 * chunk is string concatenation.
 */
export function createChunkWriter(
  head: AnswerHead,
  options: { thinking: boolean; includeUsage: boolean },
): ChunkWriter {
  const fixed = JSON.stringify({
    id: head.id,
    object: "chat.completion.chunk",
    created: head.created,
    model: head.model,
    system_fingerprint: head.fingerprint,
  });
  const before = `data: ${fixed.slice(0, -1)},"choices":[{"index":0,"delta":`;
  // Only with include_usage do the chunks before the last carry the field, and then as null.
  const after = `,"logprobs":null,"finish_reason":null}]${options.includeUsage ? ',"usage":null' : ""}}\n\n`;
  const { thinking } = options;

  return {
    role: () =>
      before +
      (thinking
        ? '{"role":"assistant","content":null,"reasoning_content":""}'
        : '{"role":"assistant","content":""}') +
      after,
    reasoning: (text) => `${before}{"content":null,"reasoning_content":${JSON.stringify(text)}}${after}`,
    content: (text) =>
      `${before}{"content":${JSON.stringify(text)}${thinking ? ',"reasoning_content":null' : ""}}${after}`,
    finish(reason, usage) {
      const delta = thinking ? '{"content":"","reasoning_content":null}' : '{"content":""}';
      return `${before}${delta},"logprobs":null,"finish_reason":"${reason}"}],"usage":${JSON.stringify(usageOf(usage))}}\n\n`;
    },
  };
}

/** The body of an answer that was not streamed. */
export function completionBody(
  head: AnswerHead,
  answer: { content: string; reasoning?: string; finish: FinishReason; usage: Usage },
): string {
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
          ...(answer.reasoning === undefined ? {} : { reasoning_content: answer.reasoning }),
        },
        logprobs: null,
        finish_reason: answer.finish,
      },
    ],
    usage: usageOf(answer.usage),
    system_fingerprint: head.fingerprint,
  });
}
