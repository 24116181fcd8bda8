import { hashText, mix } from "../rng.ts";
import { isWide, overhead, promptParts } from "./prompt-tokens.ts";
import type { ChatRequest, FimRequest } from "./types.ts";

/**
 * A hash of everything up to the end of each full block of the prompt. Two prompts share the hashes of as many blocks
 * as their beginnings share; `partition` is what shares nothing with others: account, user and model.
 */
export function promptBlocks(
  request: ChatRequest | FimRequest,
  partition: string,
  blockTokens: number,
): readonly number[] {
  const blocks: number[] = [];
  let low = hashText(partition);
  let high = hashText(partition, 0x9e3779b9);
  // In tenths of a token: whole numbers add up exactly.
  let tenths = 0;
  let boundary = 10 * blockTokens;

  function read(code: number, weight: number): void {
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x85ebca6b) ^ (high >>> 15);
    tenths += weight;
    while (tenths >= boundary) {
      blocks.push(mix(low) * 2 ** 21 + (mix(high) >>> 11));
      boundary += 10 * blockTokens;
    }
  }

  for (const part of promptParts(request)) {
    read(hashText(part.role), 10 * overhead(part));
    for (const [index, text] of part.texts.entries()) {
      // Between what was said and what was thought.
      read(0x1_0000 + index, 0);
      for (let i = 0; i < text.length; i++) {
        const code = text.charCodeAt(i);
        read(code, isWide(code) ? 6 : 3);
      }
    }
  }
  return blocks;
}
