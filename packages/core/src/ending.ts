import type { Call } from "./call.ts";
import type { Any } from "./handler.ts";
import type { Ending, Outcome } from "./outcome.ts";

/** @internal What a call finally came to, from its outcome and from what it knows of its times. */
// Field by field: one per attempt is made, and an object literal with spreads costs five times as much.
export function endingOf(outcome: Outcome<Any>, call: Call<Any>): Ending {
  const ending = startOfEnding(outcome, call.runtime.now());
  if (call.dispatchedAt !== undefined) ending.dispatchedAt = call.dispatchedAt;
  if (call.firstTokenAt !== undefined) ending.firstTokenAt = call.firstTokenAt;
  if (call.usage !== undefined) ending.usage = call.usage;
  return ending;
}

function startOfEnding(outcome: Outcome<Any>, endedAt: number): { -readonly [K in keyof Ending]: Ending[K] } {
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
