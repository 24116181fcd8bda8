import { setTimeout as pause } from "node:timers/promises";

import { now } from "../events.ts";
import type { Fleet } from "../fleet.ts";
import { heldOf, type History } from "../history.ts";
import { heldAt, permitMeasure, rateMeasure } from "../measures.ts";
import { overlapAt } from "../overlap.ts";
import type { Row } from "../rows.ts";
import type { Stage } from "../stage.ts";
import { type Fault, LEASE_MS, PERMITS, RATE, rowsOf, usedAtTheEnd } from "./fault.ts";

/** A third of the processes. */
const STRUCK: readonly number[] = [0, 3, 6, 9];

const killed: Fault = {
  name: "kill-permit-holders",
  injected: "SIGKILL of 3 of 12 processes at a time, four times; others take their place",
  async run(stage) {
    const redis = await stage.redis();
    const fleet = await stage.fleet({ url: redis.url, leaseMs: LEASE_MS, loads: [PERMITS, RATE] });
    const living = Array.from({ length: fleet.processes }, (_, i) => i);
    for (let round = 0; round < 4; round++) {
      await pause(900);
      for (const worker of living.splice(0, 3)) fleet.kill(worker);
      living.push(...(await Promise.all([fleet.add(), fleet.add(), fleet.add()])));
    }
    await pause(1.5 * LEASE_MS);
    return rowsOf(killed, {
      fleet,
      redis,
      tell: (history) => [
        { as: "", measured: permitMeasure(history, PERMITS) },
        { as: "-rate", measured: rateMeasure(history, RATE) },
      ],
      check: (history) => [...usedAtTheEnd(history, RATE), ...permitsUsed(history)],
    });
  },
};

const stopped: Fault = {
  name: "stop-longer-than-lease",
  injected: "SIGSTOP of 4 of 12 processes for two and a half leases, then SIGCONT",
  run: (stage) =>
    standStill(stage, stopped, (fleet) => {
      for (const worker of STRUCK) fleet.freeze(worker);
      setTimeout(() => {
        for (const worker of STRUCK) fleet.thaw(worker);
      }, 2.5 * LEASE_MS);
    }),
};

const blocked: Fault = {
  name: "event-loop-block",
  injected: "the event loops of 4 of 12 processes blocked for two and a half leases",
  run: (stage) =>
    standStill(stage, blocked, (fleet) => {
      for (const worker of STRUCK) fleet.block(worker, 2.5 * LEASE_MS);
    }),
};

/** What stands still for longer than its lease still does what it did: it has all its permits, and others have them too. */
async function standStill(
  stage: Stage,
  fault: Fault,
  strike: (fleet: Fleet) => void,
): Promise<readonly Row[]> {
  const redis = await stage.redis();
  const fleet = await stage.fleet({ url: redis.url, leaseMs: LEASE_MS, loads: [PERMITS, RATE] });
  await pause(1_000);
  const at = now();
  strike(fleet);
  await pause(2.5 * LEASE_MS + 2_500);
  return rowsOf(fault, {
    fleet,
    redis,
    tell(history) {
      const more = heldAt(history, PERMITS, at + 5_000, new Set(STRUCK));
      const because = "what those that stood still held";
      return [
        { as: "", measured: permitMeasure(history, PERMITS, { more, because }) },
        { as: "-rate", measured: rateMeasure(history, RATE) },
      ];
    },
    check: (history) => [...usedAtTheEnd(history, RATE), ...permitsUsed(history)],
  });
}

/** Permits that never come back would keep the bound as well. */
function permitsUsed(history: History): readonly string[] {
  const held = heldOf(history, PERMITS.name);
  const most = Math.max(...[0.1, 0.3, 0.5].map((s) => overlapAt(held, history.endingAt - s * 1_000_000)));
  const least = PERMITS.concurrency / 2;
  return most >= least ? [] : [`${most} permits out at the end, where at least ${least} are wanted`];
}

export const processes: readonly Fault[] = [killed, stopped, blocked];
