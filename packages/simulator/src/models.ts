import type { Price } from "./prices.ts";

/** A model of the simulated host. Replace the table to follow DeepSeek's next change, or to play another host. */
export interface Model {
  id: string;
  /** Tokens that prompt and `max_tokens` may have together. */
  contextWindow: number;
  /** Upper bound of `max_tokens`. */
  maxOutputTokens: number;
  /** Speed of one stream on an idle machine. */
  tokensPerSecond: number;
  /** A price that never changes. Without it the option `prices` must know the model. */
  price?: Price;
  /** Served, but not listed by `GET /models`. @default false */
  unlisted?: boolean;
}

const flash = {
  contextWindow: 1_048_576,
  maxOutputTokens: 393_216,
  // Measured medians of single streams lie at 216-245.
  tokensPerSecond: 230,
};

/**
 * The models as of November 2026; `defaultPrices` has what they cost. `deepseek-chat` and `deepseek-reasoner` are
 * retired and answer 400 "Model Not Exist", as the real API does.
 */
export const defaultModels: readonly Model[] = [
  { id: "deepseek-flash", ...flash },
  {
    id: "deepseek-v4-pro",
    contextWindow: 1_048_576,
    maxOutputTokens: 393_216,
    tokensPerSecond: 110,
  },
  { id: "deepseek-v4-flash", ...flash, unlisted: true },
  { id: "deepseek-v4-flash-vision-exp", ...flash, unlisted: true },
];
