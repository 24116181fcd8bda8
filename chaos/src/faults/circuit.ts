import { setTimeout as pause } from "node:timers/promises";

import { now } from "../events.ts";
import type { History } from "../history.ts";
import { CIRCUIT, type Fault, LEASE_MS, rowsOf } from "./fault.ts";

const SICK = 5;

const sick: Fault = {
  name: "one-sick-instance",
  injected: "everything fails in 1 of 12 processes, which share a circuit",
  async run(stage) {
    const redis = await stage.redis();
    const fleet = await stage.fleet({ url: redis.url, leaseMs: LEASE_MS, loads: [CIRCUIT] });
    // One that is sick before there are others is the whole fleet, and opens the circuit for it.
    await pause(LEASE_MS);
    fleet.fail(true, SICK);
    await pause(5_000);
    return rowsOf(sick, {
      fleet,
      redis,
      check: ({ events }) =>
        events.some(({ type, worker }) => type === "turned-away" && worker === SICK)
          ? []
          : ["the sick process never opened its own circuit"],
      tell: ({ events }) => [
        {
          as: "",
          measured: {
            unit: "calls of healthy processes that were refused",
            bound: 0,
            worst: events.filter(({ type, worker }) => type === "turned-away" && worker !== SICK).length,
          },
        },
      ],
    });
  },
};

const election: Fault = {
  name: "probe-election",
  injected: "the upstream of 12 processes fails for 5 s: each opening ends with a probe",
  async run(stage) {
    const redis = await stage.redis();
    const fleet = await stage.fleet({
      url: redis.url,
      leaseMs: LEASE_MS,
      loads: [{ ...CIRCUIT, probeLeaseMs: 10_000, fails: true }],
    });
    await pause(5_000);
    const wellAt = now();
    fleet.fail(false);
    await pause(2_000);
    return rowsOf(election, {
      fleet,
      redis,
      check: (history) => [...tried(history, 5), ...closedAgain(history, wellAt)],
      tell: (history) => [
        { as: "", measured: { unit: "probes in one epoch", bound: 1, worst: worstEpoch(history) } },
      ],
    });
  },
};

const prober: Fault = {
  name: "prober-killed",
  injected: "the process that probes is killed while it does, three times",
  async run(stage) {
    const redis = await stage.redis();
    // A probe lasts long enough to be found. Fewer calls run than the window holds: those that run count as not failed.
    const load = { ...CIRCUIT, everyMs: 60, takesMs: 400, fails: true };
    const fleet = await stage.fleet({ url: redis.url, leaseMs: LEASE_MS, loads: [load] });
    const killed = new Set<number>();
    const end = now() + 12_000_000;
    while (killed.size < 3 && now() < end) {
      await pause(50);
      const found = runningProbe(fleet.history());
      if (found === undefined || killed.has(found)) continue;
      fleet.kill(found);
      killed.add(found);
    }
    const lastAt = now();
    fleet.fail(false);
    await pause(CIRCUIT.probeLeaseMs + 2_000);
    return rowsOf(prober, {
      fleet,
      redis,
      check: (history) => [
        ...(killed.size < 3 ? [`only ${killed.size} probes were found to be killed`] : []),
        ...closedAgain(history, lastAt),
      ],
      tell: (history) => [
        {
          as: "",
          measured: {
            unit: "probes in one epoch whose processes live",
            bound: 1,
            worst: worstEpoch({
              ...history,
              events: history.events.filter(({ worker }) => !killed.has(worker)),
            }),
          },
        },
      ],
    });
  },
};

interface Probe {
  readonly worker: number;
  readonly id: number;
  readonly epoch: number;
}

function probesOf({ events }: History): readonly Probe[] {
  return events.flatMap((event) => {
    if (event.type !== "begin") return [];
    const [status, epoch] = event.note.split(" ");
    return status === "half-open" ? [{ worker: event.worker, id: event.id, epoch: Number(epoch) }] : [];
  });
}

function worstEpoch(history: History): number {
  const counts = new Map<number, number>();
  for (const { epoch } of probesOf(history)) counts.set(epoch, (counts.get(epoch) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}

function tried(history: History, least: number): readonly string[] {
  const epochs = new Set(probesOf(history).map(({ epoch }) => epoch));
  return epochs.size >= least ? [] : [`${epochs.size} epochs had a probe, at least ${least} were expected`];
}

function runningProbe(history: History): number | undefined {
  const last = probesOf(history).at(-1);
  if (last === undefined) return undefined;
  const over = history.events.some(
    ({ type, worker, ...event }) =>
      type === "end" && worker === last.worker && "id" in event && event.id === last.id,
  );
  return over ? undefined : last.worker;
}

function closedAgain({ events }: History, since: number): readonly string[] {
  const closed = events.some(
    (event) => event.type === "begin" && event.at > since && event.note.startsWith("closed"),
  );
  return closed ? [] : ["the circuit never closed again"];
}

export const circuit: readonly Fault[] = [sick, election, prober];
