import { setTimeout as sleep } from "node:timers/promises";

import { type Simulator, startSimulator } from "@breakwater/simulator";

import { type Fleet, type FleetOptions, startFleet } from "./fleet.ts";
import { LIMITS, PROCESSES } from "./limits.ts";
import { type Seen } from "./view.ts";
import { mostAtOnce, worstWindow } from "./windows.ts";

export interface RunOptions {
  readonly redis: string;
  readonly seconds: number;
  /** Whether one of the processes is killed in the middle. */
  readonly kill: boolean;
  /** Whether each process has the limits for itself: what happens without sharing. @default false */
  readonly apart?: boolean;
  readonly show: (seen: Seen) => void;
  readonly start?: FleetOptions["start"];
}

/** What it came to, as the account counted it. */
export interface Summary {
  readonly admitted: number;
  /** From the first of them to the last. */
  readonly spanSeconds: number;
  /**
   * In the worst second, wherever it began. Counted where calls arrive: they were let go within the limit, and a machine
   * that is busy sends some of them late, and so together with others.
   */
  readonly worstSecond: number;
  readonly mostInFlight: number;
  readonly turnedAway: number;
  /** Calls in the last quarter of the time, by when the killed process's permits are free again. */
  readonly lastQuarterPerSecond: number;
  readonly answeredBySurvivors: number;
  readonly failed: number;
}

/** Each process is asked by more users than the whole account may serve. */
const ASKS_PER_SECOND = LIMITS.perSecond;
const LOOK_MS = 200;

export async function run({
  redis,
  seconds,
  kill,
  apart = false,
  show,
  start,
}: RunOptions): Promise<Summary> {
  // The account knows nothing of Redis: it counts what comes, and turns away what is too much.
  const account = await startSimulator({
    accounts: [{ keys: ["sk-shared"], concurrency: LIMITS.concurrency }],
    capacity: { slots: LIMITS.concurrency },
    text: { contentMedian: 25, reasoningMedian: 5, sigma: 0.3 },
  });
  const fleet = startFleet({
    redis,
    baseURL: account.url,
    apiKey: "sk-shared",
    processes: PROCESSES,
    asksPerSecond: ASKS_PER_SECOND,
    apart,
    ...(start !== undefined && { start }),
  });
  try {
    const { startedAt, endedAt } = await watch(account, fleet, { seconds, kill, show });
    await fleet.stop();
    return summaryOf(account, fleet, startedAt, endedAt);
  } finally {
    await fleet.stop();
    await account.close();
  }
}

async function watch(
  account: Simulator,
  fleet: Fleet,
  { seconds, kill, show }: Pick<RunOptions, "seconds" | "kill" | "show">,
): Promise<{ startedAt: number; endedAt: number }> {
  while (account.state().totals.attempts === 0) await sleep(LOOK_MS);
  const startedAt = account.state().nowMs;
  let killed = !kill;
  for (;;) {
    const { nowMs, open, totals } = account.state();
    const elapsed = nowMs - startedAt;
    if (!killed && elapsed >= seconds * 500) {
      fleet.kill(PROCESSES - 1);
      killed = true;
    }
    // What has begun lately is known of those that are over by now, and of those that are open.
    const lately = account.attempts().filter(({ tReceived }) => tReceived > nowMs - 1_000).length + open;
    show({
      seconds: elapsed / 1_000,
      perSecond: lately,
      inFlight: open,
      turnedAway: totals.outcomes.rejected,
      members: fleet.members.map((member) => ({ ...member })),
    });
    if (elapsed >= seconds * 1_000) return { startedAt, endedAt: nowMs };
    await sleep(LOOK_MS);
  }
}

function summaryOf(account: Simulator, fleet: Fleet, startedAt: number, endedAt: number): Summary {
  const attempts = account.attempts();
  const moments = attempts.map(({ tReceived }) => tReceived);
  const quarter = (endedAt - startedAt) / 4;
  const last = moments.filter((at) => at >= endedAt - quarter && at < endedAt).length;
  const survivors = fleet.members.slice(0, PROCESSES - 1);
  return {
    admitted: attempts.length,
    spanSeconds: (Math.max(...moments) - Math.min(...moments)) / 1_000,
    worstSecond: worstWindow(moments, 1_000),
    mostInFlight: mostAtOnce(attempts.map(({ tReceived, tEnded }) => ({ from: tReceived, to: tEnded }))),
    turnedAway: account.state().totals.outcomes.rejected,
    lastQuarterPerSecond: Math.round(last / (quarter / 1_000)),
    answeredBySurvivors: survivors.reduce((sum, { answered }) => sum + answered, 0),
    failed: survivors.reduce((sum, { failed }) => sum + failed, 0),
  };
}
