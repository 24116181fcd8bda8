import type { ChatAnswer, ChatChunk, ChatCompletion } from "./types.ts";
import { isStream } from "./types.ts";

/**
 * An answer for somebody who asked for it in pieces. A whole one, which a fallback may have made, is given in one
 * piece: an SDK that reads events finds none in JSON, and takes the answer for an empty one.
 */
export function asStream(answer: ChatAnswer): AsyncIterator<ChatChunk> {
  return isStream(answer) ? answer[Symbol.asyncIterator]() : once(chunkOf(answer));
}

function chunkOf({ choices, object: _, ...rest }: ChatCompletion): ChatChunk {
  return {
    ...rest,
    object: "chat.completion.chunk",
    choices: choices.map(({ message: { tool_calls: tools, refusal: _refusal, ...message }, ...choice }) => ({
      ...choice,
      delta: {
        ...message,
        ...(tools !== undefined && { tool_calls: tools.map((tool, index) => ({ index, ...tool })) }),
      },
    })),
  };
}

function once<T>(value: T): AsyncIterator<T> {
  let given = false;
  return {
    next() {
      const result: IteratorResult<T> = given ? { done: true, value: undefined } : { done: false, value };
      given = true;
      return Promise.resolve(result);
    },
  };
}
