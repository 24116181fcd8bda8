import type { Codec } from "@breakwater/core";

import { progressOf } from "./chunk.ts";
import { copyOf } from "./raw.ts";
import type { ChatAnswer, ChatChunk, ChatCompletion } from "./types.ts";

const KEPT: ReadonlySet<string> = new Set(["stop", "tool_calls"]);

/** How the cache keeps answers: whole ones as they are, streamed ones as the list of their chunks. */
export const codec: Codec<ChatAnswer> = {
  size: (value) => 2 * JSON.stringify(value).length,
  /** Only what was finished and holds something: an answer that max_tokens cut is nobody else's answer. */
  storable(value) {
    let filled = false;
    const reasons: string[] = [];
    const parts: readonly (ChatChunk | ChatCompletion)[] = "choices" in value ? [value] : value;
    for (const choice of parts.flatMap<(ChatChunk | ChatCompletion)["choices"][number]>(
      (part) => part.choices,
    )) {
      if (choice.finish_reason !== null) reasons.push(choice.finish_reason);
      filled ||= progressOf("message" in choice ? choice.message : choice.delta) !== undefined;
    }
    return filled && reasons.length > 0 && reasons.every((reason) => KEPT.has(reason));
  },
  copy: (value) => ("choices" in value ? copyOf(value) : value.map((chunk) => copyOf(chunk))),
};
