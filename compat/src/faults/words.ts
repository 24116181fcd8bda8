import type { Row } from "./row.ts";
import type { Seen } from "./seen.ts";

/** What a caller can be left with. */
export type Verdict = "complete" | "error" | "spoken" | "silent" | "hangs";

export function verdictOf(row: Row, { ended, text }: Seen): Verdict {
  if (ended === "hangs") return "hangs";
  if (ended === "threw") return "error";
  if (text === "complete") return "complete";
  return row.spoken === undefined ? "silent" : "spoken";
}

const HELD: Readonly<Record<Seen["text"], string>> = {
  complete: "complete",
  prefix: "a part",
  nothing: "nothing",
  wrong: "another text",
};

/** Half a minute and a little, so that nothing in the tables lies where a step of the clock decides. */
const NOTABLE_MS = 32_500;

/** A cell of the table: what the caller is left with, after how many requests if there were several, and after how long. */
export function inWords(row: Row, seen: Seen): string {
  const { ended, error, finish, ms, requests, swapped, text, usage } = seen;
  const held = HELD[text];
  const before = text === "nothing" ? "" : text === "complete" ? "all of it, then " : `${held}, then `;
  const parts: string[] = [];
  switch (verdictOf(row, seen)) {
    case "hangs":
      return `${before}**hangs**`;
    case "error":
      parts.push(`${before}\`${error}\``);
      break;
    case "silent":
      parts.push(`**${held}, no error**`);
      break;
    case "complete":
    case "spoken":
      parts.push(held);
  }
  if (ended === "answered") {
    if (finish !== undefined && finish !== "stop" && finish !== "tool_calls") parts.push(`\`${finish}\``);
    if (text === "complete" && finish === undefined) parts.push("no reason");
    if (text === "complete" && !usage) parts.push("no usage");
    if (swapped) parts.push("model says another");
  }
  if (requests > 1) parts.push(`${requests} requests`);
  if ((ended === "threw" || requests > 1) && ms >= NOTABLE_MS) parts.push(duration(ms));
  return parts.join(", ");
}

/** Coarse, so that a step of the clock makes no difference. */
function duration(ms: number): string {
  if (ms < 60_000) return `${5 * Math.round(ms / 5_000)} s`;
  return `${Math.round(ms / 30_000) / 2} min`;
}
