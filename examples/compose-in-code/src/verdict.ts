import { type Outcome, RefusedError } from "@breakwater/core";
import type { ChatAnswer } from "@breakwater/deepseek";

import { contentOf, type Label, LABELS, labelIn } from "./question.ts";

/** What came of a text, by what is to be done next. */
export type Verdict =
  | { readonly next: "write"; readonly label: Label }
  /** It will not be better the next time. */
  | { readonly next: "skip"; readonly why: string }
  /** The text is not to blame: later. It may not even have been `asked`, and if it concerns `all`, nobody needs to try before. */
  | {
      readonly next: "wait";
      readonly why: string;
      readonly ms: number;
      readonly asked: boolean;
      readonly all: boolean;
    }
  /** No other text would fare better. */
  | { readonly next: "stop"; readonly why: string }
  /** It was not asked, or not to the end: the script is about to end. */
  | { readonly next: "leave" };

/** Where nobody said how long. */
const USUAL_WAIT_MS = 5_000;

export function verdictOf(outcome: Outcome<ChatAnswer>): Verdict {
  switch (outcome.status) {
    case "answered":
      return verdictOfAnswer(outcome.value);
    case "cancelled":
      return { next: "leave" };
    case "refused": {
      const { refusal } = outcome;
      const { code, retryAfterMs: ms = USUAL_WAIT_MS } = refusal;
      if (code === "DRAINING") return { next: "leave" };
      if (code === "QUOTA_EXHAUSTED") return { next: "stop", why: NO_CREDIT };
      if (code === "KEYS_DISABLED") return { next: "stop", why: NO_KEY };
      if (code === "CIRCUIT_OPEN")
        return { next: "wait", why: "DeepSeek does not answer", ms, asked: false, all: true };
      return { next: "wait", why: new RefusedError(refusal).message, ms, asked: false, all: false };
    }
    case "failed": {
      const { error, retryable, retryAfterMs, scope } = outcome;
      const why = error instanceof Error ? error.message : String(error);
      if (scope === "account") return { next: "stop", why: NO_CREDIT };
      if (scope === "key") return { next: "stop", why: NO_KEY };
      if (!retryable) return { next: "skip", why };
      return { next: "wait", why, ms: retryAfterMs ?? USUAL_WAIT_MS, asked: true, all: false };
    }
  }
}

const NO_CREDIT = "The account has no credit left. Top it up";
const NO_KEY = "DeepSeek does not take the key. Set DEEPSEEK_API_KEY to one that is valid";

function verdictOfAnswer(answer: ChatAnswer): Verdict {
  const label = labelIn(answer);
  if (label !== undefined) return { next: "write", label };
  const said = contentOf(answer).slice(0, 60);
  return { next: "skip", why: `answered ${JSON.stringify(said)}, which is none of ${LABELS.join(", ")}` };
}
