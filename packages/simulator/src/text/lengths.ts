import { isThinking, type ChatRequest } from "../request/types.ts";
import { createRng } from "../rng.ts";

/** How long answers are when nothing else says so: log-normal, drawn from the seed and the messages. */
export interface LengthSettings {
  /** Median number of answer tokens. @default 180 */
  contentMedian?: number;
  /** Median number of reasoning tokens, when thinking is on. @default 220 */
  reasoningMedian?: number;
  /** Deviation of the logarithm; 0 makes every answer as long as the median. @default 0.6 */
  sigma?: number;
}

/** Token counts of one answer, after `max_tokens` has had its say. */
export interface AnswerLength {
  readonly reasoning: number;
  readonly content: number;
  /** True when `max_tokens` cut the answer, which then finishes with `length`. */
  readonly cut: boolean;
}

/** A part that is given counts as it is; a part that is not is drawn. */
export interface GivenLength {
  reasoning?: number;
  content?: number;
}

const unsetLimit = { thinking: 64 * 1024, plain: 8 * 1024 };

/**
 * Reads `reasoning=120,content=80` (header `x-sim-tokens`, or `metadata.sim`).
 * Returns a sentence about what is wrong when it cannot.
 */
export function parseLength(text: string): GivenLength | string {
  const given: GivenLength = {};
  for (const part of text.split(",")) {
    const [name, value] = part.split("=").map((side) => side.trim());
    const count = Number(value);
    const whole = value !== undefined && value !== "" && Number.isInteger(count) && count >= 0;
    if ((name !== "reasoning" && name !== "content") || !whole) {
      return `got "${part.trim()}"; write reasoning=<tokens>,content=<tokens> with whole numbers, for example reasoning=0,content=80`;
    }
    given[name] = count;
  }
  return given;
}

/** What is already there when an answer continues a prefix message. */
export interface Head {
  readonly reasoning: number;
  readonly content: number;
}

/** The tokens of the prefix message at the end, when there is one. Tokens are words, since every token is one. */
export function headOf(request: ChatRequest): Head {
  const last = request.messages.at(-1);
  if (last?.prefix !== true) return { reasoning: 0, content: 0 };
  const count = (text: unknown): number =>
    typeof text === "string" && text !== "" ? text.split(" ").length : 0;
  const content = count(last.content);
  // Whoever has begun to speak has finished thinking.
  return { reasoning: content > 0 ? Infinity : count(last.reasoning_content), content };
}

/**
 * The number of tokens that the answer to `request` has: what is given first, then what the seed draws, less what a
 * prefix message already holds.
 */
export function answerLength(
  request: ChatRequest,
  nonce: number,
  given: GivenLength,
  settings: LengthSettings,
): AnswerLength {
  const rng = createRng(nonce, "length");
  const sigma = settings.sigma ?? 0.6;
  const draw = (median: number): number => Math.max(1, Math.round(median * Math.exp(sigma * rng.normal())));
  // Both are always drawn, so that giving one of them does not change the other.
  const drawnReasoning = draw(settings.reasoningMedian ?? 220);
  const drawnContent = draw(settings.contentMedian ?? 180);

  const thinking = isThinking(request);
  const head = headOf(request);
  const wantedReasoning = thinking ? Math.max(0, (given.reasoning ?? drawnReasoning) - head.reasoning) : 0;
  const wantedContent = Math.max(0, (given.content ?? drawnContent) - head.content);
  const limit = request.max_tokens ?? (thinking ? unsetLimit.thinking : unsetLimit.plain);

  const reasoning = Math.min(wantedReasoning, limit);
  const content = Math.min(wantedContent, limit - reasoning);
  return { reasoning, content, cut: reasoning + content < wantedReasoning + wantedContent };
}
