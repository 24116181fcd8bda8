import type { Usage } from "@breakwater/core";

import { isRecord } from "./error-body.ts";

/** What one piece of an answer means, whichever host's it is. */
export interface ChunkFacts {
  /** Text that counts as progress; a role or an empty string does not. */
  readonly progress: "reasoning" | "answering" | undefined;
  /** Choices that this piece ends, with their reasons. */
  readonly finished: readonly (readonly [index: number, reason: string])[];
  readonly usage: Usage | undefined;
  readonly model: string | undefined;
}

export function factsOf(chunk: Readonly<Record<string, unknown>>): ChunkFacts {
  let progress: ChunkFacts["progress"];
  const finished: (readonly [number, string])[] = [];
  const choices = Array.isArray(chunk["choices"]) ? (chunk["choices"] as readonly unknown[]) : [];
  for (const choice of choices) {
    if (!isRecord(choice)) continue;
    const { finish_reason: reason, index } = choice;
    progress = progressOf(partOf(choice)) ?? progress;
    if (typeof reason === "string" && reason !== "")
      finished.push([typeof index === "number" ? index : 0, reason]);
  }
  const { model } = chunk;
  return {
    progress,
    finished,
    usage: usageOf(chunk["usage"]),
    model: typeof model === "string" ? model : undefined,
  };
}

/** Where the text of a choice stands: in a chunk, in a whole answer, and in a text that was filled in. */
export function partOf(choice: object): unknown {
  const { delta, message, text } = choice as { readonly [name: string]: unknown };
  return delta ?? message ?? { content: text };
}

/** What a delta, or a whole message, brings forward. */
export function progressOf(part: unknown): ChunkFacts["progress"] {
  if (!isRecord(part)) return undefined;
  const { content, reasoning_content: thoughts, reasoning, tool_calls: tools, refusal } = part;
  if (filled(content) || filled(refusal) || (Array.isArray(tools) && tools.length > 0)) return "answering";
  return filled(thoughts) || filled(reasoning) ? "reasoning" : undefined;
}

function filled(text: unknown): boolean {
  return typeof text === "string" && text !== "";
}

/** Usage as the policies read it, with the prompt tokens that came from DeepSeek's cache beside it. */
export function usageOf(usage: unknown): Usage | undefined {
  if (!isRecord(usage)) return undefined;
  const details = isRecord(usage["completion_tokens_details"]) ? usage["completion_tokens_details"] : {};
  const prompt = isRecord(usage["prompt_tokens_details"]) ? usage["prompt_tokens_details"] : {};
  const counts = {
    promptTokens: usage["prompt_tokens"],
    completionTokens: usage["completion_tokens"],
    totalTokens: usage["total_tokens"],
    cachedPromptTokens: usage["prompt_cache_hit_tokens"] ?? prompt["cached_tokens"],
    reasoningTokens: details["reasoning_tokens"],
  };
  const known = Object.entries(counts).filter(([, count]) => typeof count === "number");
  return known.length === 0 ? undefined : Object.fromEntries(known);
}

/** What the reason for an ending makes of an answer. */
export type Finish = "complete" | "interrupted" | "empty" | "spent" | "filtered" | "unknown";

/** `progress`: whether there was any content, reasoning or tool call. */
export function judgeFinish(reason: string, progress: boolean): Finish {
  switch (reason) {
    case "insufficient_system_resource":
    case "aborted":
    case "error":
      return "interrupted";
    case "stop":
    case "tool_calls":
    case "function_call":
      return progress ? "complete" : "empty";
    case "length":
      return progress ? "complete" : "spent";
    case "content_filter":
      return "filtered";
    default:
      return "unknown";
  }
}

/** What somebody who watches should know of an ending that counts as success all the same. */
export function hintOf(finish: Finish, reason: string): string | undefined {
  if (finish === "spent") {
    return "LENGTH_NO_CONTENT: max_tokens was used up before the answer began. Raise max_tokens, or lower reasoning_effort.";
  }
  if (finish === "unknown") {
    return `finish_reason ${JSON.stringify(reason.slice(0, 40))} is not known; the answer is taken to be complete.`;
  }
  return undefined;
}
