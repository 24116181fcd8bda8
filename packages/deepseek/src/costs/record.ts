import { DISCARDED, type Ending } from "@breakwater/core";

import { nanoOf } from "./money.ts";
import type { PriceList, Tier } from "./price-list.ts";

/**
 * What the money was for.
 *
 * - `useful`: the answer, or of a continued one a part, that the call came to.
 * - `retryWaste`: an attempt behind which another one was made.
 * - `hedgeWaste`: an attempt beside which another one won.
 * - `cancelled`: the caller left.
 * - `failed`: the last attempt of a call that came to nothing.
 * - `cached`: nothing was sent; the answer was there already, or somebody else's attempt was shared.
 */
export type CostCategory = "useful" | "retryWaste" | "hedgeWaste" | "cancelled" | "failed" | "cached";

/** What one HTTP request cost, or one answer from a cache saved. Never a key, a prompt or an answer. */
export interface CostRecord {
  readonly callId: string;
  readonly tenant?: string;
  /** Name of the host's profile. */
  readonly host: string;
  readonly account?: string;
  /** The model that the host was asked for. */
  readonly requested: string;
  /** The one that it said had answered; of an attempt that failed before, the one that was asked for. */
  readonly model: string;
  /** Tokens of the prompt from the host's context cache. `null`, as all of these: nobody knows. */
  readonly hit: number | null;
  readonly miss: number | null;
  /** Reasoning included. */
  readonly completion: number | null;
  readonly reasoning: number | null;
  /** Whether the tokens were estimated here rather than told by the host. */
  readonly estimated: boolean;
  /** `from` of the price that was taken; `null` for what has no price. */
  readonly priceFrom: string | null;
  readonly tier: Tier | null;
  /** Billionths of a dollar, rounded once, halves up. `null` if price or tokens are not known. */
  readonly nanoUsd: bigint | null;
  readonly category: CostCategory;
  /** Of an answer from a cache: what it would have cost now. */
  readonly savedNanoUsd?: bigint | null;
  /** Wall time at which it ended, ms since 1970. */
  readonly at: number;
}

/** Tokens that are paid for. */
export interface Tokens {
  readonly hit: number;
  readonly miss: number;
  readonly completion: number;
  readonly reasoning: number;
}

const NOTHING: Tokens = { hit: 0, miss: 0, completion: 0, reasoning: 0 };

/** The tokens of a usage; undefined where it does not tell them all. Without a word of a context cache there was none. */
export function tokensOf(usage: Ending["usage"]): Tokens | undefined {
  const { promptTokens, completionTokens, cachedPromptTokens, reasoningTokens } = (usage ?? {}) as Readonly<
    Record<string, number | undefined>
  >;
  if (promptTokens === undefined || completionTokens === undefined) return undefined;
  const hit = Math.min(cachedPromptTokens ?? 0, promptTokens);
  const reasoning = reasoningTokens ?? 0;
  const whole = [hit, promptTokens, completionTokens, reasoning].every(
    (count) => Number.isSafeInteger(count) && count >= 0,
  );
  if (!whole) return undefined;
  return { hit, miss: promptTokens - hit, completion: completionTokens, reasoning };
}

/** What an attempt spent; undefined where nobody knows. The upstream knows of what was turned away that it spent nothing. */
export function spentBy({ spent }: Ending, usage: Ending["usage"]): Tokens | undefined {
  if (usage !== undefined) return tokensOf(usage);
  return spent === false ? NOTHING : undefined;
}

type Priced = Pick<CostRecord, "nanoUsd" | "priceFrom" | "tier">;

export interface Priceable {
  readonly host: string;
  readonly model: string;
  readonly arrivedAt: number;
  readonly completedAt: number;
  readonly tokens: Tokens | undefined;
}

export function priced(list: PriceList, { arrivedAt, completedAt, host, model, tokens }: Priceable): Priced {
  const quote = list.quote(host, model, arrivedAt, completedAt);
  // What was never computed costs nothing, whoever the host is.
  if (tokens === NOTHING) return { nanoUsd: 0n, priceFrom: quote?.from ?? null, tier: quote?.tier ?? null };
  if (quote === undefined) return { nanoUsd: null, priceFrom: null, tier: null };
  const { from: priceFrom, rates, tier } = quote;
  if (tokens === undefined) return { nanoUsd: null, priceFrom, tier };
  const pico =
    BigInt(tokens.hit) * rates.hit +
    BigInt(tokens.miss) * rates.miss +
    BigInt(tokens.completion) * rates.output;
  return { nanoUsd: nanoOf(pico), priceFrom, tier };
}

export interface Fate {
  /** How the attempt ended. */
  readonly attempt: Ending;
  /** How the call that it was made for did. */
  readonly call: Ending;
  /** Whether its answer had begun to be given out. */
  readonly given: boolean;
  /** Whether another attempt was made after its end. */
  readonly followed: boolean;
}

export function categoryOf({ attempt, call, followed, given }: Fate): Exclude<CostCategory, "cached"> {
  if (attempt.status === "cancelled") {
    if (attempt.error === DISCARDED && call.status !== "cancelled") return "hedgeWaste";
    if (call.status === "cancelled") return call.error === DISCARDED ? "hedgeWaste" : "cancelled";
    if (followed) return "retryWaste";
    return call.status === "answered" ? "hedgeWaste" : "failed";
  }
  // What was given out is not asked for again: who goes on behind it continues it.
  const kept = attempt.status === "answered" ? !followed : given && (followed || call.status === "answered");
  if (!kept) return followed || call.status === "answered" ? "retryWaste" : "failed";
  if (call.status === "answered") return "useful";
  if (call.status !== "cancelled") return "failed";
  return call.error === DISCARDED ? "hedgeWaste" : "cancelled";
}
