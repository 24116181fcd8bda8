import { partOf } from "../chunk.ts";
import { isRecord } from "../error-body.ts";
import { estimateTokens } from "./estimate.ts";

/** Tokens that a model has made; those of its reasoning are among them. */
export interface Generated {
  readonly tokens: number;
  readonly reasoningTokens: number;
}

/** What the text comes to of a whole answer, or of a piece of one: content, reasoning, calls of tools. */
export function generatedIn(answer: { readonly choices?: unknown }): Generated {
  let tokens = 0;
  let reasoningTokens = 0;
  for (const choice of listOf(answer.choices)) {
    const part = partOf(choice);
    if (!isRecord(part)) continue;
    const { reasoning, reasoning_content: thoughts = reasoning } = part;
    const thought = said(thoughts);
    reasoningTokens += thought;
    tokens += thought + said(part["content"]) + said(part["refusal"]);
    for (const { function: called } of listOf(part["tool_calls"]))
      if (isRecord(called)) tokens += said(called["name"]) + said(called["arguments"]);
  }
  return { tokens, reasoningTokens };
}

function said(text: unknown): number {
  return typeof text === "string" ? estimateTokens(text) : 0;
}

function listOf(list: unknown): readonly Record<string, unknown>[] {
  return Array.isArray(list) ? list.filter((one) => isRecord(one)) : [];
}
