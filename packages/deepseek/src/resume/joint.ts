import { halfAtEnd } from "./continuation.ts";
import { overlapOf } from "./overlap.ts";
import { straddling } from "./stop-guard.ts";

/** Where a continuation is joined to what was delivered. */
export interface Joint {
  /** Takes the next text of the continuation, and gives what may be delivered. */
  push(text: string): Passed;
  /** The continuation is over: what was held back. */
  end(): Passed;
}

interface Passed {
  readonly text: string;
  /** Whether a stop string is complete: what follows belongs to nobody's answer. */
  readonly stopped: boolean;
}

const NOTHING: Passed = { text: "", stopped: false };

/** Holds the first characters of a continuation back until it is known that they are new, and no end of a stop string. */
export function createJoint(delivered: string, stops: readonly string[]): Joint {
  // It was not sent, so the continuation begins with it.
  const half = halfAtEnd(delivered);
  const sent = delivered.slice(0, delivered.length - half.length);
  let held = "";
  let fresh = false;
  let passing = false;

  function settle(whole: boolean): Passed {
    if (!fresh) {
      const repeated = overlapOf(sent, held, whole);
      if (repeated === undefined) return NOTHING;
      const rest = held.slice(repeated);
      if (half !== "" && rest === "" && !whole) return NOTHING;
      held = half !== "" && rest.startsWith(half) ? rest.slice(half.length) : rest;
      fresh = true;
    }
    const found = straddling(delivered, held, stops);
    if (found === "stop") return { text: "", stopped: true };
    if (found === "open" && !whole) return NOTHING;
    passing = true;
    return { text: held, stopped: false };
  }

  return {
    push(text) {
      if (passing) return { text, stopped: false };
      held += text;
      return text === "" ? NOTHING : settle(false);
    },
    end: () => (passing ? NOTHING : settle(true)),
  };
}
