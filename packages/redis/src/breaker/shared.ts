import type { BreakerStatus, Runtime } from "@breakwater/core";

/** A circuit as Redis has it. Times are µs of the server. */
export interface Shared {
  readonly status: BreakerStatus;
  /** Raised by every transition, and never reused: a result of an earlier one is late. */
  readonly epoch: number;
  /** Open until then. */
  readonly until: number;
  /** How often it opened since it was last well. */
  readonly openings: number;
  readonly closedAt: number;
}

/** As Redis counts them. */
const STATUSES: readonly BreakerStatus[] = ["closed", "open", "half-open", "forced-open", "forced-closed"];

export const codeOf = (status: BreakerStatus): number => STATUSES.indexOf(status);

/**
 * Reads what Redis keeps: one text, because that is read and sent along with every decision, and is the same text most
 * of the time. Status, openings, epoch, until, closed at; and what only Redis needs: how long it is open, how many
 * probes went well, who closed it by a first token. No text is a circuit that is well.
 */
export function readShared(text: string): Shared {
  const [status = 0, openings = 0, epoch = 0, until = 0, closedAt = 0] =
    text === "" ? [] : text.split(" ", 5).map(Number);
  return { status: STATUSES[status] ?? "closed", epoch, until, openings, closedAt };
}

/** Lua: the text of the locals that follow `at` in their names. */
export const packed = (at: string | number): string =>
  `string.format('%d %d %.0f %.0f %.0f %.0f %d %s', ${["s", "o", "e", "u", "c", "d", "w", "k"].map((name) => name + at).join(", ")})`;

/** Lua: reads the text `v…` into these locals; all of them numbers but the last. */
export function unpack(at: string | number): string {
  const numbers = ["s", "o", "e", "u", "c", "d", "w"].map((name) => name + at);
  const all = [...numbers, `k${at}`].join(", ");
  return `
${all} = string.match(v${at}, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
${numbers.join(", ")} = ${numbers.map((name) => `tonumber(${name}) or 0`).join(", ")}`;
}

/** What the server's clock shows, as far as a process can know: a reply's way here ago it was what the reply says. */
export interface ServerClock {
  /** A reply says that it was `us`. The latest counts: a server's clock may be set, also back. */
  hear(us: number): void;
  /** In µs. A little behind, so that nobody comes early. */
  now(): number;
}

export function createServerClock(runtime: Runtime): ServerClock {
  let heard = 0;
  let at = 0;
  return {
    hear(us) {
      heard = us;
      at = runtime.now();
    },
    now: () => heard + (runtime.now() - at) * 1_000,
  };
}
