import { isThinking, type ChatRequest, type FimRequest } from "../request/types.ts";
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

/** Token counts of one uninterrupted answer, before `max_tokens` has had its say. */
export interface AnswerLength {
  readonly reasoning: number;
  readonly content: number;
}

/** A part that is given counts as it is; a part that is not is drawn. */
export interface GivenLength {
  reasoning?: number;
  content?: number;
  /** Tool calls, not tokens. */
  tools?: number;
}

const unsetLimit = { thinking: 64 * 1024, plain: 8 * 1024, longest: 128 * 1024 };
/** What FIM may answer at most, and does when nothing is said. */
export const fimLimit: number = 4 * 1024;
/** Calls in one answer, at most. */
const mostCalls = 16;

const isPart = (name: string | undefined): name is keyof GivenLength =>
  name === "reasoning" || name === "content" || name === "tools";

/**
 * Reads `reasoning=120,content=80,tools=1` (header `x-sim-tokens`, or `metadata.sim`).
 * Returns a sentence about what is wrong when it cannot.
 */
export function parseLength(text: string): GivenLength | string {
  const given: GivenLength = {};
  for (const part of text.split(",")) {
    const [name, value] = part.split("=").map((side) => side.trim());
    const count = Number(value);
    const whole = value !== undefined && value !== "" && Number.isInteger(count) && count >= 0;
    if (!isPart(name) || !whole || (name === "tools" && count > mostCalls)) {
      return `got "${part.trim()}"; write reasoning=<tokens>,content=<tokens> with whole numbers, for example reasoning=0,content=80, or tools=<calls> with at most ${mostCalls}`;
    }
    given[name] = count;
  }
  return given;
}

/** The number of tokens that the whole answer to `request` has: what is given first, then what the seed draws. */
export function answerLength(
  request: ChatRequest | FimRequest,
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
  return {
    reasoning: isThinking(request) ? (given.reasoning ?? drawnReasoning) : 0,
    content: given.content ?? drawnContent,
  };
}

/** Tokens that the answer may have, reasoning included. */
export function limitOf(request: ChatRequest | FimRequest): number {
  if (request.max_tokens != null) return request.max_tokens;
  if ("prompt" in request) return fimLimit;
  if (!isThinking(request)) return unsetLimit.plain;
  return /^(max|ultra)$/.test(request.reasoning_effort ?? "") ? unsetLimit.longest : unsetLimit.thinking;
}
