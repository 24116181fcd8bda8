import type { CallRecord } from "./browser.ts";

/**
 * What became of a call. `cut` was presented as a whole answer and is not one, which its user cannot know;
 * `hung` had not ended when the user gave up.
 */
export type Fate = "correct" | "cut" | "refused" | "error" | "hung";

export function fateOf(call: CallRecord): Fate {
  switch (call.end) {
    case "answered":
      return call.verdict === "complete" ? "correct" : "cut";
    case "complaint":
      return call.refused ? "refused" : "error";
    case "hung":
      return "hung";
  }
}
