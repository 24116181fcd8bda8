import { piecesOf } from "./pieces.ts";
import { type ChatAnswer, type ChatChunk, type ChatRequest, isStream } from "./types.ts";

/**
 * An answer for somebody who asked for it in pieces. A whole one, which a fallback may have made, is taken apart: an
 * SDK that reads events finds none in JSON, and takes the answer for an empty one.
 */
export function asStream(answer: ChatAnswer, request: Partial<ChatRequest> = {}): AsyncIterable<ChatChunk> {
  if (isStream(answer)) return answer;
  const pieces = piecesOf(answer, undefined, includesUsage(request));
  return (async function* () {
    yield* pieces;
  })();
}

/** Whether every chunk is to have the member `usage`. */
export function includesUsage({ stream_options: options }: Partial<ChatRequest>): boolean {
  return options?.include_usage === true;
}
