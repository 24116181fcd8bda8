import type OpenAI from "openai";
import { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError } from "openai";
import type { Stream } from "openai/streaming";

import { bodyOf, type Complaint, type Question } from "./column.ts";

type Chunks = Stream<OpenAI.ChatCompletionChunk>;

/** The request as the SDK takes it. It sends fields on that it does not know, as DeepSeek's documentation has it. */
export function streamOf(client: OpenAI, question: Question, signal?: AbortSignal): PromiseLike<Chunks> {
  const body = { ...bodyOf(question), stream: true } as unknown as OpenAI.ChatCompletionCreateParamsStreaming;
  return client.chat.completions.create(body, signal === undefined ? {} : { signal });
}

/** What an application shows of a stream. */
export async function* textOf(chunks: Chunks): AsyncIterable<string> {
  for await (const chunk of chunks) {
    const text = chunk.choices[0]?.delta.content;
    if (text) yield text;
  }
}

/** The SDK refuses nothing by itself. */
export function complain(error: unknown): Complaint {
  return { refused: false, kind: kindOf(error) };
}

function kindOf(error: unknown): string {
  if (error instanceof APIUserAbortError) return "browser left";
  if (error instanceof APIConnectionTimeoutError) return "timed out";
  if (error instanceof APIConnectionError) return "connection";
  if (error instanceof APIError) return String(error.status ?? "error in the stream");
  return error instanceof TypeError ? "connection" : "other";
}
