// Several real processes over one circuit, each with connections of its own.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

import { type Program, programOf } from "@breakwater-internal/redis-server/fork";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import type { BreakerConfig, BreakerSnapshot, Transition } from "@breakwater/core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { createScope } from "../keys.ts";
import { newScope } from "./fleet.test-help.ts";
import type { Admitted, Order } from "./process.test-help.ts";

const redis = useRedis();
let program: Program;
beforeAll(
  async () => void (program = await programOf(new URL("./process.test-help.ts", import.meta.url))),
  60_000,
);
afterAll(() => program?.remove());

interface Worker {
  readonly child: ChildProcess;
  admit(): Promise<Admitted>;
  probe(): Promise<Admitted>;
  end(admitted: Admitted, result: "success" | "failure", trip?: boolean): Promise<Transition | undefined>;
  snapshot(): Promise<BreakerSnapshot | undefined>;
  storm(): Promise<readonly number[]>;
  stop(): Promise<void>;
  /** Four calls that fail. */
  sicken(): Promise<Transition | undefined>;
}

/** So many processes that share a circuit, all of which Redis knows, and which hear its hints. */
async function fleet(count: number, changes: Partial<BreakerConfig> = {}): Promise<readonly Worker[]> {
  const scope = newScope();
  const workers = await Promise.all(Array.from({ length: count }, () => join(scope, changes)));
  const channel = createScope(scope).channel("breaker");
  await expect
    .poll(() => redis.cli("PUBSUB", "NUMSUB", channel), { timeout: 10_000 })
    .toEqual([channel, count]);
  return workers;
}

async function join(scope: string, changes: Partial<BreakerConfig>): Promise<Worker> {
  const child = program.start(redis.url, scope, JSON.stringify(changes));
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "message");
  const waiting = new Map<number, (said: unknown, error: string | undefined) => void>();
  child.on("message", ({ n, said, error }: { n: number; said?: unknown; error?: string }) =>
    waiting.get(n)?.(said, error),
  );
  let orders = 0;
  const tell = <T>(order: Order): Promise<T> =>
    new Promise((resolve, reject) => {
      const n = orders++;
      waiting.set(n, (said, error) => {
        waiting.delete(n);
        if (error === undefined) resolve(said as T);
        else reject(new Error(error));
      });
      child.send({ n, order });
    });
  const worker: Worker = {
    child,
    admit: () => tell({ do: "admit" }),
    probe: () => tell({ do: "probe" }),
    end: ({ ticket = -1 }, result, trip = false) => tell({ do: "end", ticket, result, trip }),
    snapshot: () => tell({ do: "snapshot" }),
    storm: () => tell({ do: "storm" }),
    stop: () => tell({ do: "stop" }),
    async sicken() {
      let last: Transition | undefined;
      for (let i = 0; i < 4; i++) last = await worker.end(await worker.admit(), "failure");
      return last;
    },
  };
  expect((await worker.admit()).probe).toBe(false);
  return worker;
}

const statusOf = async (worker: Worker): Promise<string | undefined> => (await worker.snapshot())?.status;

describe("a circuit of several processes", () => {
  it("sends exactly one probe per epoch, of six that all want to", async () => {
    const workers = await fleet(6, { openForMs: 20, maxOpenForMs: 40 });
    const storms = workers.map((worker) => worker.storm());
    // Opened for all by the first two that have seen enough; from then on each probe opens it again.
    await expect
      .poll(async () => (await workers[0]?.snapshot())?.openings ?? 0, { timeout: 60_000 })
      .toBeGreaterThanOrEqual(24);
    await Promise.all(workers.map((worker) => worker.stop()));
    const epochs = (await Promise.all(storms)).flat();
    // Before it was open for all each tried for itself: those epochs count from nothing.
    const shared = epochs.filter((epoch) => epoch > 1_000_000);
    expect(shared.length).toBeGreaterThanOrEqual(20);
    expect(new Set(shared).size, "as many epochs as probes").toBe(shared.length);
    const elected = await Promise.all(storms.map(async (storm) => (await storm).length > 0));
    expect(elected.filter(Boolean).length, "not always the same process").toBeGreaterThan(1);
  }, 90_000);

  it("lets another probe when the one that did was killed, once its lease is over", async () => {
    const [first, second] = (await fleet(2, { probeLeaseMs: 1_500 })) as [Worker, Worker];
    expect(await first.end(await first.admit(), "failure", true)).toBe("open");
    const lost = await first.probe();
    await expect.poll(() => statusOf(second), { timeout: 10_000 }).not.toBe("closed");
    const { retryAfterMs = 0 } = await second.admit();
    expect(retryAfterMs, "for the rest of its lease").toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(1_500);
    first.child.kill("SIGKILL");
    const next = await second.probe();
    expect(next.epoch, "the same attempt").toBe(lost.epoch);
    expect(await second.end(next, "success")).toBe("close");
    expect((await second.admit()).probe).toBe(false);
  }, 30_000);

  it("stays closed for the others when one of four is sick, which is open for itself alone", async () => {
    const [sick, ...others] = (await fleet(4)) as [Worker, ...Worker[]];
    expect(await sick.sicken()).toBe("open");
    expect((await sick.admit()).retryAfterMs).toBeGreaterThan(0);
    for (const other of others) {
      for (let i = 0; i < 10; i++) expect(await other.end(await other.admit(), "success")).toBeUndefined();
      expect(await statusOf(other)).toBe("closed");
    }
    // It has a probe of its own, in its own time.
    const probe = await sick.probe();
    expect(await sick.end(probe, "success")).toBe("close");
    expect((await sick.admit()).probe).toBe(false);
  }, 30_000);

  it("is open for all when two of four are", async () => {
    const [first, second, ...others] = (await fleet(4, { openForMs: 30_000, maxOpenForMs: 30_000 })) as [
      Worker,
      Worker,
      ...Worker[],
    ];
    expect(await first.sicken()).toBe("open");
    expect(await statusOf(others[0] as Worker)).toBe("closed");
    expect(await second.sicken()).toBe("open");
    for (const other of others) {
      await expect.poll(() => statusOf(other), { timeout: 10_000 }).toBe("open");
      expect((await other.admit()).retryAfterMs).toBeGreaterThan(0);
    }
    const epochs = await Promise.all(
      [first, second, ...others].map(async (one) => (await one.snapshot())?.epoch),
    );
    expect(new Set(epochs).size).toBe(1);
  }, 30_000);
});
