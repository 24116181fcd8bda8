import type { Codec } from "@breakwater/core";

import { includesUsage } from "./as-stream.ts";
import { assembleAnswer } from "./assemble.ts";
import { partOf, progressOf } from "./chunk.ts";
import { piecesOf } from "./pieces.ts";
import { copyOf, rawOf } from "./raw.ts";
import type { ChatAnswer, ChatChunk, ChatCompletion, ChatRequest } from "./types.ts";

const KEPT: ReadonlySet<string> = new Set(["stop", "tool_calls"]);

/** How the cache keeps answers: whole, and of streamed ones the lengths of their pieces. */
export const codec: Codec<ChatAnswer, ChatRequest> = {
  size: (value) => partsOf(value).reduce((bytes, part) => bytes + 2 * rawOf(part).length, 0),
  /** Only what was finished and holds something: an answer that max_tokens cut is nobody else's answer. */
  storable(value) {
    const { choices } = wholeOf(value);
    const filled = choices.some((choice) => progressOf(partOf(choice)) !== undefined);
    return filled && choices.every(({ finish_reason: reason }) => KEPT.has(reason));
  },
  copy: (value) => ("choices" in value ? copyOf(value) : value.map((chunk) => copyOf(chunk))),
  shapes: {
    streams: (request) => request.stream === true,
    assemble: assembleAnswer,
    pieces: (whole, cuts, request) => piecesOf(whole, cuts, includesUsage(request)),
  },
};

function partsOf(value: ChatCompletion | readonly ChatChunk[]): readonly (ChatChunk | ChatCompletion)[] {
  return "choices" in value ? [value] : value;
}

function wholeOf(value: ChatCompletion | readonly ChatChunk[]): ChatCompletion {
  if ("choices" in value) return value;
  const assembly = assembleAnswer();
  for (const chunk of value) assembly.add(chunk);
  return assembly.finish().whole;
}
