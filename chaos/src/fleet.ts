import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { now, readEvents } from "./events.ts";
import type { History } from "./history.ts";
import { settled } from "./settled.ts";
import type { Load, Order, Said, WorkerConfig } from "./wire.ts";

/** Starts a worker with its configuration as JSON; its messages come over IPC. */
export type StartWorker = (config: string) => ChildProcess;

export interface FleetOptions {
  readonly url: string | ((worker: number) => string);
  readonly processes?: number;
  readonly leaseMs: number;
  readonly loads: readonly Load[] | ((worker: number) => readonly Load[]);
}

/** Processes that share limits. */
export interface Fleet {
  readonly processes: number;
  /** Those that stood still themselves: how long their callers waited says nothing about anybody else. */
  readonly still: ReadonlySet<number>;
  /** SIGKILL. */
  kill(worker: number): void;
  /** Starts one more. Fulfilled with its number when it is ready. */
  add(): Promise<number>;
  /** SIGSTOP. */
  freeze(worker: number): void;
  /** SIGCONT. */
  thaw(worker: number): void;
  block(worker: number, ms: number): void;
  /** What all of them call, or one, fails from now on, or does not. */
  fail(on: boolean, worker?: number): void;
  /** What they did so far. */
  history(): History;
  /** Ends them, each by itself. @returns what was left over, or went wrong */
  end(): Promise<readonly string[]>;
  /** Ends what is left, at once. */
  dispose(): void;
}

export const PROCESSES = 12;
const START_MS = 30_000;
const END_MS = 15_000;

interface Worker {
  readonly child: ChildProcess;
  readonly log: string;
  readonly ready: Promise<void>;
  readonly exited: Promise<string>;
  said: Extract<Said, { say: "ended" }> | undefined;
  alive: boolean;
}

export async function startFleet(startWorker: StartWorker, options: FleetOptions): Promise<Fleet> {
  const { url, processes = PROCESSES, leaseMs, loads } = options;
  const folder = mkdtempSync(join(tmpdir(), "breakwater-chaos-"));
  const workers: Worker[] = [];
  const killedAt = new Map<number, number>();
  const still = new Set<number>();
  let endingAt = Infinity;
  let endedAt = Infinity;

  function start(): Worker {
    const number = workers.length;
    const log = join(folder, `${number}.log`);
    const config: WorkerConfig = {
      url: typeof url === "string" ? url : url(number),
      log,
      leaseMs,
      instances: processes,
      loads: typeof loads === "function" ? loads(number) : loads,
    };
    const child = startWorker(JSON.stringify(config));
    const worker: Worker = {
      child,
      log,
      ready: new Promise((resolve) => child.once("message", () => resolve())),
      exited: new Promise((resolve) => {
        child.once("exit", (code, signal) => {
          worker.alive = false;
          resolve(signal ?? String(code));
        });
      }),
      said: undefined,
      alive: true,
    };
    child.on("message", (said: Said) => {
      if (said.say === "ended") worker.said = said;
    });
    workers.push(worker);
    return worker;
  }

  async function ready(worker: Worker): Promise<void> {
    const lost = worker.exited.then((how) => {
      throw new Error(`A process ended with ${how} before it was ready.`);
    });
    await settled(Promise.race([worker.ready, lost]), START_MS, "A process was not ready");
  }

  const at = (worker: number): Worker => workers[worker] as Worker;
  const tell = (worker: Worker, order: Order): void => {
    if (worker.alive && worker.child.connected) worker.child.send(order, () => {});
  };

  async function endOne(worker: Worker, number: number): Promise<readonly string[]> {
    if (killedAt.has(number)) return [];
    const name = `process ${number}`;
    if (!worker.alive) return [`${name} ended with ${await worker.exited} in the middle`];
    tell(worker, { do: "end" });
    try {
      await settled(worker.exited, END_MS, name);
    } catch {
      return [`${name} did not end by itself`];
    }
    if (!worker.said) return [`${name} ended with ${await worker.exited} before it had told how`];
    const { unsettled, unhandledRejections, handles } = worker.said;
    return [
      ...Object.entries(unsettled).map(([load, count]) => `${count} ${load} of ${name} were never settled`),
      ...(handles.length > 0 ? [`${name} left ${handles.join(", ")} behind`] : []),
      ...unhandledRejections.map((reason) => `${name} had an unhandled rejection: ${reason}`),
    ];
  }

  function dispose(): void {
    for (const { alive, child } of workers) if (alive) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }

  try {
    await Promise.all(Array.from({ length: processes }, () => ready(start())));
    // A machine on which processes start is slow: what callers wait for then says nothing.
    for (const worker of workers) tell(worker, { do: "begin" });
  } catch (error) {
    dispose();
    throw error;
  }
  return {
    processes,
    still,
    dispose,
    kill(worker) {
      at(worker).child.kill("SIGKILL");
      killedAt.set(worker, now());
    },
    async add() {
      const worker = start();
      await ready(worker);
      tell(worker, { do: "begin" });
      return workers.indexOf(worker);
    },
    freeze(worker) {
      still.add(worker);
      at(worker).child.kill("SIGSTOP");
    },
    thaw: (worker) => void at(worker).child.kill("SIGCONT"),
    block(worker, ms) {
      still.add(worker);
      tell(at(worker), { do: "block", ms });
    },
    fail(on, worker) {
      for (const each of worker === undefined ? workers : [at(worker)]) tell(each, { do: "fail", on });
    },
    history() {
      const events = workers.flatMap(({ log }, worker) =>
        readEvents(readFileSync(log, "utf8")).map((event) => ({ ...event, worker })),
      );
      return {
        events: events.toSorted((a, b) => a.at - b.at),
        killedAt,
        endingAt: Math.min(endingAt, now()),
        endedAt: Math.min(endedAt, now()),
      };
    },
    async end() {
      endingAt = now();
      const complaints = await Promise.all(workers.map(endOne));
      endedAt = now();
      return complaints.flat();
    },
  };
}
