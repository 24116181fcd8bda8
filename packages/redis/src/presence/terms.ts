import type { BreakerConfig, RateRule, RateRules } from "@breakwater/core";

import type { Terms } from "./agreement.ts";

/** Rates: the lower rate and the lower burst of each limit; one that only some have holds for all. */
export const rateTerms: Terms<RateRules> = {
  kind: "rate-limit",
  fits: (config): config is RateRules =>
    isObject(config) &&
    (config["requests"] ?? config["tokens"]) !== undefined &&
    [config["requests"], config["tokens"]].every((rule) => rule === undefined || isRule(rule)),
  lower: (a, b) => ({
    ...lowerOf("requests", a.requests, b.requests),
    ...lowerOf("tokens", a.tokens, b.tokens),
  }),
  show: (rules) => ({ ...rules }),
};

/** Permits: the lower limit. */
export const permitTerms: Terms<number> = {
  kind: "permit",
  fits: (config): config is number => isPositive(config),
  lower: Math.min,
  show: (limit) => ({ limit }),
};

/**
 * Circuits: each process goes by its own numbers, because it decides by itself when it has seen enough. So what is
 * agreed upon is of no use but to tell that they differ: it opens at the smaller share, and soonest.
 */
export const breakerTerms: Terms<BreakerConfig> = {
  kind: "breaker",
  fits: (config): config is BreakerConfig =>
    isObject(config) && isPositive(config["failureRate"]) && isPositive(config["minimumCalls"]),
  lower: (a, b) => (sooner(b, a) ? b : a),
  show: (config) => ({ ...config }),
};

function lowerOf<K extends string>(
  name: K,
  a: RateRule | undefined,
  b: RateRule | undefined,
): { [P in K]?: RateRule } {
  const rule = a === undefined ? b : b === undefined ? a : lowerRule(a, b);
  return (rule === undefined ? {} : { [name]: rule }) as { [P in K]?: RateRule };
}

/** Both at once: no span lets more pass than either of the two would. */
function lowerRule(a: RateRule, b: RateRule): RateRule {
  const slow = a.limit * b.perMs <= b.limit * a.perMs ? a : b;
  const burst = Math.min(a.burst, b.burst);
  if (a.algorithm === "gcra" && b.algorithm === "gcra") return { ...slow, burst };
  // A window has no burst beside its limit, so its span is cut to the smaller one, at the lower rate.
  return { algorithm: "window", limit: burst, perMs: Math.ceil((burst * slow.perMs) / slow.limit), burst };
}

function sooner(a: BreakerConfig, b: BreakerConfig): boolean {
  return (
    a.failureRate < b.failureRate || (a.failureRate === b.failureRate && a.minimumCalls < b.minimumCalls)
  );
}

const isObject = (given: unknown): given is Readonly<Record<string, unknown>> =>
  typeof given === "object" && given !== null && !Array.isArray(given);

const isPositive = (given: unknown): given is number => typeof given === "number" && given > 0;

const isRule = (given: unknown): given is RateRule =>
  isObject(given) &&
  (given["algorithm"] === "gcra" || given["algorithm"] === "window") &&
  [given["limit"], given["perMs"], given["burst"]].every(isPositive);
