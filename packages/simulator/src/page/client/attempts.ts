import type { Attempt, AttemptOutcome } from "../../attempt-log.ts";
import type { Dom } from "./dom.ts";
import type { Format } from "./format.ts";

/** The table of the last attempts. */
export interface AttemptTable {
  /** Shows an attempt, once, however often it is told. */
  add(attempt: Attempt): void;
  /** The `seq` of the last one that was shown. */
  readonly last: number;
  /** Starts again after `seq`. */
  clear(seq: number): void;
}

/** Runs in the browser: its source text is sent there, so it uses nothing from outside. */
export function createAttemptTable(
  dom: Dom,
  format: Format,
  onAttempt: (attempt: Attempt) => void,
): AttemptTable {
  const rows = 50;
  const words: Record<AttemptOutcome, readonly [mood: string, word: string]> = {
    completed: ["good", "completed"],
    faulted: ["bad", "faulted"],
    rejected: ["warn", "refused"],
    client_closed: ["quiet", "client left"],
    queue_timeout: ["bad", "queue timeout"],
  };
  const body = dom.get("attempts");
  const empty = dom.get("attempts-empty");
  let last = 0;

  function rowOf(attempt: Attempt) {
    const [mood, word] = words[attempt.outcome];
    const { tFirstToken, tReceived, tEnded } = attempt;
    const outcome = dom.make("span", `badge ${mood}`, word);
    const asked = [
      dom.make("code", "", attempt.model === "" ? "no model" : attempt.model),
      dom.make(
        "span",
        "soft",
        `${attempt.path} · ${attempt.stream ? "stream" : "JSON"}${attempt.replica === "" ? "" : ` · ${attempt.replica}`}`,
      ),
    ];
    const cells: readonly (readonly [label: string, text: string])[] = [
      ["time", format.clock(tReceived)],
      ["request", ""],
      ["status", attempt.status === 0 ? "no answer" : String(attempt.status)],
      ["outcome", ""],
      [attempt.fault === undefined ? "fault none" : "fault", attempt.fault ?? "–"],
      ["tokens", format.count(attempt.tokensWritten)],
      ["first", tFirstToken === undefined ? "–" : format.duration(tFirstToken - tReceived)],
      ["took", format.duration(tEnded - tReceived)],
    ];
    const row = dom.make("tr", mood);
    // The narrow layout takes the cells out of their table; the roles keep them in it.
    row.setAttribute("role", "row");
    for (const [label, text] of cells) {
      const cell = dom.make("td", `cell-${label}`, text);
      cell.setAttribute("role", "cell");
      if (label === "outcome") cell.append(outcome);
      if (label === "request") cell.append(...asked);
      row.append(cell);
    }
    if (attempt.keyTail !== "") row.setAttribute("title", `${attempt.account}, key …${attempt.keyTail}`);
    return row;
  }

  return {
    get last() {
      return last;
    },
    add(attempt) {
      if (attempt.seq <= last) return;
      last = attempt.seq;
      empty.hidden = true;
      body.prepend(rowOf(attempt));
      if (body.children.length > rows) body.lastElementChild?.remove();
      onAttempt(attempt);
    },
    clear(seq) {
      last = seq;
      body.replaceChildren();
      empty.hidden = false;
    },
  };
}
