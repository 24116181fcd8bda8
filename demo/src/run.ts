import { setTimeout as sleep } from "node:timers/promises";

import { type Attempt, verifyText } from "@breakwater/simulator";
import { Agent } from "undici";

import { type Arrival, arrivalsOf } from "./arrivals.ts";
import { browse, type BrowserOptions, type CallRecord } from "./browser.ts";
import { type Child, startChild } from "./child.ts";
import type { ClockCheck } from "./clock-check.ts";
import type { ColumnFindings, ColumnReady } from "./column-process.ts";
import { type ColumnName, columns } from "./columns/index.ts";
import { type Evening, TEXT } from "./evening.ts";
import { type Lag, meterLag, together } from "./lag.ts";
import type { SimulatorFindings, SimulatorReady } from "./simulator-process.ts";

export interface RunOptions {
  readonly columns: readonly ColumnName[];
  readonly evening: Evening;
  readonly seed: number;
  readonly users: number;
  readonly timeScale: number;
}

/** Everything one column left behind. */
export interface ColumnResult {
  readonly column: ColumnName;
  readonly calls: readonly CallRecord[];
  /** What DeepSeek, and the second host, saw of it. */
  readonly attempts: readonly Attempt[];
}

export interface RunResult {
  readonly columns: readonly ColumnResult[];
  readonly lag: Lag;
}

/** What a spectator may look at while it runs. */
export interface Spectator {
  onReady(clocks: readonly ClockCheck[]): void;
  onStart(arrivals: readonly Arrival[], now: () => number): void;
  onEnd(column: ColumnName, call: CallRecord): void;
}

/** Four minutes: a user who has seen nothing happen for so long has left. */
export const CUT_OFF_MS = 4 * 60_000;

const WARM_UP_CALLS = 20;

/**
 * All columns on the same evening at the same time, so that what else the machine does hits all of them alike. Each
 * has its own client process and its own DeepSeek; the users are here.
 */
export async function runColumns(options: RunOptions, spectator: Spectator): Promise<RunResult> {
  const { seed, users, evening, timeScale } = options;
  const stands = await Promise.all(options.columns.map((column) => setUp(column, options)));
  spectator.onReady(stands.flatMap(({ clocks }) => clocks));
  await Promise.all(stands.map((stand) => warmUp(stand, options)));

  const arrivals = arrivalsOf({ seed, users, durationMs: evening.durationMs });
  const lag = meterLag();
  const began = performance.now();
  const now = (): number => (performance.now() - began) / timeScale;
  for (const { children } of stands) for (const child of children) child.ask("play").catch(() => {});
  spectator.onStart(arrivals, now);

  const finished = stands.map(async (stand): Promise<ColumnResult & { lag: Lag }> => {
    const browser = browserOf(stand, options, now);
    const calls = await Promise.all(
      arrivals.map(async (arrival) => {
        await sleep(Math.max(0, arrival.atMs - now()) * timeScale);
        const call = await browse(arrival, browser);
        spectator.onEnd(stand.column, call);
        return call;
      }),
    );
    return { column: stand.column, calls, ...(await takeDown(stand)) };
  });
  const lost = stands.flatMap(({ children }) => children.map((child) => child.lost));
  const results = await Promise.race([Promise.all(finished), ...lost]);
  return { columns: results, lag: together([lag.read(), ...results.map((result) => result.lag)]) };
}

/** One column with its hosts, ready to be asked. */
interface Stand {
  readonly column: ColumnName;
  readonly url: string;
  readonly clocks: readonly ClockCheck[];
  readonly dispatcher: Agent;
  readonly client: Child<ColumnReady>;
  readonly hosts: readonly Child<SimulatorReady>[];
  readonly children: readonly Child<unknown>[];
}

async function setUp(column: ColumnName, { evening, seed, timeScale }: RunOptions): Promise<Stand> {
  const scenarios = columns[column].secondHost ? [evening.deepseek, evening.second] : [evening.deepseek];
  const hosts = scenarios.map((scenario) =>
    startChild<SimulatorReady>({ program: "./simulator-process.js", config: { seed, timeScale, scenario } }),
  );
  const [deepseek, second] = await Promise.all(hosts.map((host) => host.ready));
  const client = startChild<ColumnReady>({
    program: "./column-process.js",
    config: { column, deepseek, second },
    timeScale,
  });
  const { port, clocks } = await client.ready;
  return {
    column,
    clocks,
    client,
    hosts,
    url: `http://127.0.0.1:${port}/chat`,
    children: [client, ...hosts],
    // Users are patient and many: neither a clock nor a number of connections of ours may get in between.
    dispatcher: new Agent({ headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 1_000 }),
  };
}

function browserOf(
  { url, dispatcher }: Stand,
  { seed, timeScale }: RunOptions,
  now: () => number,
): BrowserOptions {
  const verify: BrowserOptions["verify"] = (request, received) =>
    verifyText(request, received, { ...TEXT, seed });
  return { url, dispatcher, now, timeScale, cutOffMs: CUT_OFF_MS, verify };
}

/** A few calls that count nowhere: the first ones pay for compiling the code, ten times over in the evening's time. */
async function warmUp(stand: Stand, options: RunOptions): Promise<void> {
  const from = performance.now();
  const browser = browserOf(stand, options, () => (performance.now() - from) / options.timeScale);
  const ask = (number: number): Promise<CallRecord> =>
    browse({ id: `warm-${number}`, atMs: 0, prompt: `Warm up, ${number}` }, browser);
  for (let number = 0; number < WARM_UP_CALLS; number += 5) {
    await Promise.all([0, 1, 2, 3, 4].map((more) => ask(number + more)));
  }
}

/** The client goes first, so that the hosts see all of its connections end and write their last attempts down. */
async function takeDown(stand: Stand): Promise<{ attempts: readonly Attempt[]; lag: Lag }> {
  const { client, hosts } = stand;
  const { lag } = await client.ask<ColumnFindings>("finish");
  client.stop();
  void stand.dispatcher.destroy();
  await sleep(200);
  const findings = await Promise.all(hosts.map((host) => host.ask<SimulatorFindings>("finish")));
  for (const host of hosts) host.stop();
  const attempts = findings
    .flatMap((found) => found.attempts)
    .filter(({ scope }) => scope.startsWith("call-"));
  return { attempts, lag: together([lag, ...findings.map((found) => found.lag)]) };
}
