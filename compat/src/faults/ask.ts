import type { ChatRequest } from "@breakwater/simulator";
import type OpenAI from "openai";

import { MODEL, WEATHER } from "../sdks/sdk.ts";
import type { Row } from "./row.ts";

/** What a caller holds in his hands, complete or not. */
export interface Received {
  content: string;
  tools: { name: string; arguments: string }[];
  finish: string | undefined;
  model: string | undefined;
  usage: boolean;
}

export const nothing = (): Received => ({
  content: "",
  tools: [],
  finish: undefined,
  model: undefined,
  usage: false,
});

function bodyOf({ thinking, tools }: Row) {
  const { says: _, ...described } = WEATHER;
  return {
    model: MODEL,
    messages: [{ role: "user" as const, content: "Why is the sea salty?" }],
    thinking: { type: thinking ? ("enabled" as const) : ("disabled" as const) },
    ...(tools && { tools: [{ type: "function" as const, function: described }] }),
  };
}

/** What decides the text of the right answer. */
export const requestOf = (row: Row): ChatRequest => bodyOf(row);

/** Asks as any program does, and writes down what comes as it comes. */
export async function ask(
  client: OpenAI,
  row: Row,
  stream: boolean,
  received: Received,
  signal: AbortSignal,
): Promise<void> {
  const options = { signal, ...(row.tools && { headers: { "x-sim-answer": "tools" } }) };
  const body = bodyOf(row);
  if (!stream) {
    const answer = await client.chat.completions.create({ ...body, stream: false }, options);
    const choice = answer.choices[0];
    received.content = choice?.message.content ?? "";
    for (const call of choice?.message.tool_calls ?? [])
      if (call.type === "function") received.tools.push({ ...call.function });
    received.finish = choice?.finish_reason ?? undefined;
    received.model = answer.model;
    received.usage = answer.usage != null;
    return;
  }
  for await (const chunk of await client.chat.completions.create({ ...body, stream: true }, options)) {
    const choice = chunk.choices[0];
    received.model = chunk.model;
    received.usage ||= chunk.usage != null;
    received.content += choice?.delta.content ?? "";
    received.finish = choice?.finish_reason ?? received.finish;
    for (const { index, function: called } of choice?.delta.tool_calls ?? []) {
      const tool = (received.tools[index] ??= { name: "", arguments: "" });
      tool.name += called?.name ?? "";
      tool.arguments += called?.arguments ?? "";
    }
  }
}
