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

/** As Redis counts them: a key that is missing is a circuit that is well. */
const STATUSES: readonly BreakerStatus[] = ["closed", "open", "half-open", "forced-open", "forced-closed"];

export const codeOf = (status: BreakerStatus): number => STATUSES.indexOf(status);

/** How many values `readShared` reads. */
export const SHARED_VALUES = 5;

/** Reads `status, epoch, until, openings, closedAt` of a reply. */
export function readShared(values: readonly unknown[], at: number): Shared {
  return {
    status: STATUSES[values[at] as number] ?? "closed",
    epoch: values[at + 1] as number,
    until: values[at + 2] as number,
    openings: values[at + 3] as number,
    closedAt: values[at + 4] as number,
  };
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
