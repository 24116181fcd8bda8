import type { Call } from "./call.ts";
import type { Any } from "./handler.ts";
import type { Ending, Outcome } from "./outcome.ts";

type Draft = { -readonly [K in keyof Ending]: Ending[K] };

/** @internal What a call finally came to, from its outcome and from what it knows of its times. */
export function endingOf(outcome: Outcome<Any>, call: Call<Any>): Ending {
  return withTimes(startOfEnding(outcome, call.runtime.now()), call);
}

/** @internal Adds what a call knows of its times and its tokens. */
// Field by field: one per attempt is made, and an object literal with spreads costs five times as much.
export function withTimes(ending: Draft, call: Call<Any>): Ending {
  if (call.dispatchedAt !== undefined) ending.dispatchedAt = call.dispatchedAt;
  if (call.firstTokenAt !== undefined) ending.firstTokenAt = call.firstTokenAt;
  if (call.usage !== undefined) ending.usage = call.usage;
  return ending;
}

function startOfEnding(outcome: Outcome<Any>, endedAt: number): Draft {
  switch (outcome.status) {
    case "answered":
      return { status: "answered", endedAt };
    case "failed": {
      const { meta: _, ...verdict } = outcome;
      return { ...verdict, endedAt };
    }
    case "refused":
      return { status: "refused", error: outcome.refusal, endedAt };
    case "cancelled":
      return { status: "cancelled", error: outcome.reason, endedAt };
  }
}
