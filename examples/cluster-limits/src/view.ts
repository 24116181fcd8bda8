import type { Member } from "./fleet.ts";
import { LIMITS } from "./limits.ts";

/** What is seen at a moment, by the account's own count. */
export interface Seen {
  readonly seconds: number;
  readonly perSecond: number;
  readonly inFlight: number;
  /** What the account turned away: 429. */
  readonly turnedAway: number;
  readonly members: readonly Member[];
}

const WIDTH = 40;

/** A bar that is full at the limit, and says so where more came than may. */
export function bar(value: number, limit: number): string {
  const filled = Math.min(WIDTH, Math.round((value / limit) * WIDTH));
  const over = value > limit ? "!" : " ";
  return `${"█".repeat(filled)}${"·".repeat(WIDTH - filled)}${over} ${String(value).padStart(3)} of ${limit}`;
}

export function viewOf({ seconds, perSecond, inFlight, turnedAway, members }: Seen): string {
  return [
    `${seconds.toFixed(1).padStart(5)} s`,
    `  admitted a second  ${bar(perSecond, LIMITS.perSecond + LIMITS.burst)}`,
    `  in flight          ${bar(inFlight, LIMITS.concurrency)}`,
    `  turned away by the account (429): ${turnedAway}`,
    ...members.map(
      ({ pid, alive, answered, refused, failed, decidedBy }) =>
        `  process ${String(pid).padEnd(8)}${(alive ? `by ${decidedBy || "…"}` : "killed").padEnd(10)}` +
        `${String(answered).padStart(5)} answered ${String(refused).padStart(5)} refused ${String(failed).padStart(3)} failed`,
    ),
  ].join("\n");
}
