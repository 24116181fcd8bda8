import type { RateRule, RateRules } from "@breakwater/core";

import { bucketLua } from "./bucket-lua.ts";
import type { LimitLua } from "./limit-lua.ts";
import { windowLua } from "./window-lua.ts";

/** One limit as its script takes it. */
export interface Numbers {
  readonly algorithm: RateRule["algorithm"];
  readonly limit: number;
  /** In µs, rounded up: so a limit is never higher than it was said to be. */
  readonly per: number;
  readonly burst: number;
  /** In how many ms all of an empty bucket is there again, and some. */
  readonly lifeMs: number;
  /** How many values its script replies with. */
  readonly values: number;
}

/** The limits of an ask, and the script that decides them. */
export interface RateNumbers {
  /** `r`, and for requests and tokens each `g`, `w` or `-`. */
  readonly shape: string;
  readonly requests: Numbers | undefined;
  readonly tokens: Numbers | undefined;
}

/** What is asked for beyond it is cut off: sums of it must stay whole numbers on the server. */
export const MOST: number = 2 ** 50;

const LETTERS = { gcra: "g", window: "w" } as const;
const SCRIPTS = { gcra: bucketLua, window: windowLua } as const;

/** Rules are the same objects again and again. */
export function createNumbers(): (rules: RateRules) => RateNumbers {
  const known = new WeakMap<RateRules, RateNumbers>();
  return (rules) => {
    let numbers = known.get(rules);
    if (numbers === undefined) {
      const requests = rules.requests && numbersOf(rules.requests);
      const tokens = rules.tokens && numbersOf(rules.tokens);
      numbers = { shape: `r${letterOf(requests)}${letterOf(tokens)}`, requests, tokens };
      known.set(rules, numbers);
    }
    return numbers;
  };
}

/** How the limits of a shape are decided, in the order in which they stand in the script. */
export function limitsOf(shape: string): readonly LimitLua[] {
  const limits: LimitLua[] = [];
  for (const letter of shape.slice(1)) {
    if (letter === LETTERS.gcra) limits.push(SCRIPTS.gcra);
    else if (letter === LETTERS.window) limits.push(SCRIPTS.window);
  }
  return limits;
}

/** Redis counts a life from when the command began, and the script has read the clock after that. */
const SLACK_MS = 100;

function numbersOf({ algorithm, limit, perMs, burst }: RateRule): Numbers {
  return {
    algorithm,
    lifeMs: Math.min(Math.ceil((burst * perMs) / limit) + SLACK_MS, MOST),
    limit: Math.min(limit, MOST),
    // 50.1 ms are 50100 µs, whatever the product comes to.
    per: Math.max(1, Math.ceil(perMs * 1_000 - 1e-6)),
    burst: Math.min(burst, MOST),
    values: SCRIPTS[algorithm].values,
  };
}

function letterOf(numbers: Numbers | undefined): string {
  return numbers === undefined ? "-" : LETTERS[numbers.algorithm];
}
