import { type Duration, show } from "../../duration.ts";
import { ConfigError } from "../../errors.ts";
import { isPromise } from "../../handler.ts";
import { totalOf } from "../../internal/usage.ts";
import { readOptions } from "../../options.ts";
import type { Usage } from "../../outcome.ts";
import type { RateRule, RateRules } from "./store.ts";

/** So much in so much time. */
export interface RateOptions {
  /** Requests or tokens; a whole number. */
  readonly limit: number;
  /** Any length, also less than a second. */
  readonly per: Duration;
  /**
   * What a token bucket holds, and so what may come at once: in any span of `per` at most `burst + limit` pass. Less
   * than `limit` spreads calls more evenly. @default `limit`
   */
  readonly burst?: number;
  /**
   * `gcra` is a token bucket: steady, no edges, the exact time to come again. `window` never lets more than `limit`
   * pass in any span of `per`, for upstreams that count so; what has passed counts up to a 64th of `per` too long.
   * @default "gcra"
   */
  readonly algorithm?: "gcra" | "window";
}

/** What is limited: requests, tokens, or both together. */
export interface RateLimits {
  readonly requests?: RateOptions;
  readonly tokens?: RateOptions;
}

/** Options as numbers. */
export function rulesOf(given: unknown, where: string): RateRules {
  const reader = readOptions(where, given);
  if (isPromise(given)) reader.fail("must be at hand; a promise is not waited for.");
  const requests = reader.raw<RateOptions>("requests");
  const tokens = reader.raw<RateOptions>("tokens");
  reader.done();
  if (requests === undefined && tokens === undefined)
    reader.fail('requests or tokens is required, for example { requests: { limit: 60, per: "1m" } }.');
  return {
    ...(requests !== undefined && { requests: ruleOf(requests, `${where}.requests`) }),
    ...(tokens !== undefined && { tokens: ruleOf(tokens, `${where}.tokens`) }),
  };
}

function ruleOf(given: RateOptions, where: string): RateRule {
  const reader = readOptions(where, given);
  const algorithm = reader.oneOf<RateRule["algorithm"]>("algorithm", ["gcra", "window"], "gcra");
  const limit = reader.count("limit");
  const perMs = reader.duration("per");
  const burst = reader.count("burst", limit);
  reader.done();
  if (perMs === 0) reader.fail("per must be longer than 0.");
  if (algorithm === "window" && burst !== limit)
    reader.fail("a window has no burst; leave it out, or take the gcra algorithm.");
  return { algorithm, limit, perMs, burst };
}

/** Tokens as a whole number. */
export function tokensOf(given: number | Usage, where: string): number {
  const tokens = typeof given === "number" ? given : totalOf(given);
  if (!Number.isFinite(tokens) || tokens < 0) {
    throw new ConfigError(
      `${where} must be a number of tokens of at least 0, or { promptTokens, completionTokens, totalTokens }, got ${show(tokens)}.`,
    );
  }
  return Math.ceil(tokens);
}
