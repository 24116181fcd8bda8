import type { RedisServer } from "@breakwater-internal/redis-server";

import type { Fleet } from "../fleet.ts";
import { admissionsOf, type History, waitsOf } from "../history.ts";
import { leaksIn } from "../leaks.ts";
import { sharesKept } from "../measures.ts";
import { type Measured, type Row, rowOf } from "../rows.ts";
import type { Stage } from "../stage.ts";
import type { CircuitLoad, PermitLoad, RateLoad } from "../wire.ts";

/** Something that breaks, and what must hold all the same. */
export interface Fault {
  /** Of its first row; the others have something behind it. */
  readonly name: string;
  readonly injected: string;
  run(stage: Stage): Promise<readonly Row[]>;
}

/** Short, so that faults can be longer than it. */
export const LEASE_MS = 1_000;

/** Twelve processes ask for four times as much as there is. */
export const RATE: RateLoad = {
  kind: "rate",
  name: "requests",
  everyMs: 12,
  limit: 250,
  perMs: 1_000,
  burst: 50,
};

/** Each process's share is two. */
export const PERMITS: PermitLoad = {
  kind: "permits",
  name: "calls",
  everyMs: 20,
  concurrency: 24,
  holdMs: [50, 250],
  maxWaitMs: 200,
};

export const CIRCUIT: CircuitLoad = {
  kind: "circuit",
  name: "upstream",
  everyMs: 15,
  takesMs: 5,
  openForMs: 400,
  probeLeaseMs: 1_000,
  fails: false,
};

export interface Told {
  /** Behind the fault's name: "", or "-permits" and the like. */
  readonly as: string;
  readonly measured: Measured;
}

export interface Play {
  readonly fleet: Fleet;
  /** The one that decides at the end. */
  readonly redis: RedisServer;
  readonly tell: (history: History) => readonly Told[];
  /** What is wrong beside the figures. */
  readonly check?: (history: History) => readonly string[];
}

/** Ends the fleet, and makes rows of what it did. */
export async function rowsOf(
  fault: Pick<Fault, "name" | "injected">,
  { fleet, redis, tell, check }: Play,
): Promise<readonly Row[]> {
  const left = await fleet.end();
  const history = fleet.history();
  const shares = sharesKept(history, PERMITS, fleet.processes);
  const complaints = [...left, ...shares, ...(await leaksIn(redis, LEASE_MS)), ...(check?.(history) ?? [])];
  const waits = waitsOf(history, fleet.still);
  // What is wrong with the whole of it stands in its first row.
  return tell(history).map(({ as, measured }, i) =>
    rowOf(fault.name + as, fault.injected, measured, waits, i === 0 ? complaints : []),
  );
}

/** A limit that lets nobody through keeps every bound: at the end, with everything back, it must be used again. */
export function usedAtTheEnd(history: History, load: RateLoad, ms = 1_000): readonly string[] {
  const admitted = admissionsOf(history, load.name);
  const from = history.endingAt - ms * 1_000;
  const count = admitted.filter(({ at }) => at > from && at <= history.endingAt).length;
  const asked = history.events.filter(
    (event) =>
      event.load === load.name && "askedAt" in event && event.at > from && event.at <= history.endingAt,
  ).length;
  // A machine that is busy asks for less than there is.
  const least = Math.floor(Math.min((load.limit * ms) / load.perMs, asked) / 2);
  return count >= least
    ? []
    : [`${count} admissions in the last ${ms} ms, at least ${least} were there to be had`];
}
