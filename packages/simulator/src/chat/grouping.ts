import type { Rng } from "../rng.ts";
import type { ChunkWriter } from "../wire/completion.ts";

/** Puts several tokens into one chunk, as some hosts do. */
export interface Grouping {
  /** Tokens that wait. */
  readonly held: number;
  /** The chunk that is now full, or nothing yet. */
  add(kind: "reasoning" | "content", text: string): string;
  drain(): string;
}

export function createGrouping(
  writer: ChunkWriter,
  [least, most]: readonly [number, number],
  rng: Rng,
): Grouping {
  let held = 0;
  let text = "";
  let kind: "reasoning" | "content" = "content";
  const size = (): number => (most === 1 ? 1 : least + rng.below(most - least + 1));
  let room = size();

  function drain(): string {
    if (held === 0) return "";
    const chunk = writer[kind](text);
    held = 0;
    text = "";
    room = size();
    return chunk;
  }

  return {
    get held() {
      return held;
    },
    drain,
    add(next, part) {
      const before = next === kind ? "" : drain();
      kind = next;
      text += part;
      held += 1;
      return held < room ? before : before + drain();
    },
  };
}
