import { type ChildProcess } from "node:child_process";
import { once } from "node:events";

import { type Program, programOf } from "@breakwater-internal/redis-server/fork";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { afterAll, beforeAll, expect, it } from "vitest";

import { newScope, until } from "./process.test-help.ts";
import type { Span, Work } from "./worker.test-help.ts";

const redis = useRedis();
let program: Program | undefined;
beforeAll(
  async () => void (program = await programOf(new URL("./worker.test-help.ts", import.meta.url))),
  60_000,
);
afterAll(() => program?.remove());

interface Call {
  readonly from: bigint;
  to?: bigint;
}

class Worker {
  readonly calls = new Map<number, Call>();
  readonly #child: ChildProcess;

  constructor(work: Work) {
    this.#child = (program as Program).start(JSON.stringify(work));
    this.#child.on("message", ({ call, what, at }: Span) => {
      if (what === "start") this.calls.set(call, { from: BigInt(at) });
      else (this.calls.get(call) as Call).to = BigInt(at);
    });
  }

  get running(): number {
    return [...this.calls.values()].filter(({ to }) => to === undefined).length;
  }

  /** SIGKILL: what it holds is no live lease from now on. */
  async kill(): Promise<void> {
    const gone = once(this.#child, "exit");
    const at = process.hrtime.bigint();
    this.#child.kill("SIGKILL");
    await gone;
    for (const call of this.calls.values()) call.to ??= at;
  }

  /** SIGSTOP. @returns when it stood still for certain */
  freeze(): bigint {
    this.#child.kill("SIGSTOP");
    return process.hrtime.bigint() + 5_000_000n;
  }

  /** SIGCONT. */
  thaw(): void {
    this.#child.kill("SIGCONT");
  }

  async stop(): Promise<void> {
    const gone = once(this.#child, "exit");
    this.#child.send("stop");
    await gone;
  }
}

/** How many calls ran at the same time, at most. */
function mostAtOnce(calls: readonly Call[]): number {
  const changes = calls.flatMap(({ from, to }) => [
    { at: from, by: 1 },
    { at: to as bigint, by: -1 },
  ]);
  let running = 0;
  let most = 0;
  for (const { by } of changes.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.by - b.by)))
    most = Math.max(most, (running += by));
  return most;
}

it(
  "never grants more than the limit to those who live, and has all of it back after a lease",
  { timeout: 60_000 },
  async () => {
    const work = { url: redis.url, scope: newScope(), limit: 5, lease: 1_500 };
    const workers = Array.from({ length: 4 }, () => new Worker(work));
    const count = (): number => workers.reduce((sum, { calls }) => sum + calls.size, 0);
    await until(() => workers.every(({ calls }) => calls.size > 20));

    const killed = workers.slice(0, 2);
    await until(() => killed.some(({ running }) => running > 1));
    await Promise.all(killed.map((worker) => worker.kill()));
    const survivors = workers.slice(2);
    const atKill = count();
    await until(() => count() > atKill + 100);
    await until(() => survivors.reduce((sum, { running }) => sum + running, 0) === work.limit);

    await Promise.all(survivors.map((worker) => worker.stop()));
    expect(mostAtOnce(workers.flatMap(({ calls }) => [...calls.values()]))).toBe(work.limit);
  },
);

it(
  "exceeds the limit by what a process holds that stands still, and by nothing else",
  { timeout: 60_000 },
  async () => {
    const work = { url: redis.url, scope: newScope(), limit: 3, lease: 1_000 };
    const workers = [new Worker(work), new Worker(work)] as const;
    const [frozen, other] = workers;
    await until(() => workers.every(({ calls }) => calls.size > 20));
    await until(() => frozen.running > 1);
    const at = frozen.freeze();
    await until(() => other.running === work.limit);
    frozen.thaw();
    const before = [frozen.calls.size, other.calls.size] as const;
    await until(() => frozen.calls.size > before[0] + 20 && other.calls.size > before[1] + 20);
    await Promise.all(workers.map((worker) => worker.stop()));

    const all = workers.flatMap(({ calls }) => [...calls.values()]);
    const held = [...frozen.calls.values()].filter(({ from, to }) => from <= at && (to as bigint) > at);
    expect(held.length).toBeGreaterThan(0);
    expect(mostAtOnce(all.filter((call) => !held.includes(call)))).toBeLessThanOrEqual(work.limit);
    expect(mostAtOnce(all)).toBeLessThanOrEqual(work.limit + held.length);
  },
);
