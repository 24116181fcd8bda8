// Who waits in one process is called up by what another one does. No timer helps: it is an hour away.
import { startCluster } from "@breakwater-internal/redis-server";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { bulkhead, createPipeline, type PermitReply } from "@breakwater/core";
import { describe, expect, it, onTestFinished } from "vitest";

import { LINE } from "./lua.ts";
import {
  connected,
  HOUR,
  newScope,
  permitAsk,
  type Process,
  type ProcessOptions,
  startProcess,
  until,
} from "./process.test-help.ts";

const redis = useRedis();

const ask = permitAsk();

async function fleet(
  count: number,
  options: ProcessOptions = {},
  where: string | readonly string[] = redis.url,
): Promise<readonly Process[]> {
  const scope = newScope();
  const processes = Array.from({ length: count }, () =>
    startProcess(where, { scope, patienceMs: HOUR, ...options }),
  );
  onTestFinished(async () => void (await Promise.all(processes.map((process) => process.close()))));
  return Promise.all(processes.map(connected));
}

/** Waits in the line, and asks again each time it is called up, until it has a permit. */
async function waitIn(process: Process): Promise<{ readonly calls: number; permit?: PermitReply }> {
  const state: { calls: number; permit?: PermitReply } = { calls: 0 };
  const before = await inLine(process);
  const end = process.watch(ask, () => {
    state.calls++;
    void Promise.resolve(process.decide(ask)).then((reply) => {
      if (!reply.granted) return;
      end();
      state.permit = reply;
    });
  });
  await until(async () => (await inLine(process)) > before);
  return state;
}

async function inLine({ context }: Process): Promise<number> {
  const permits = context.scope.key("permits", ask.name, ask.key);
  return Number(await redis.cli("ZCOUNT", permits, LINE, "+inf"));
}

describe("a line of processes", () => {
  it("calls up the one that waits for longest, and lets nobody overtake it", async () => {
    const [holder, first, second, newcomer] = (await fleet(4)) as [Process, Process, Process, Process];
    const held = await holder.decide(ask);
    const one = await waitIn(first);
    const two = await waitIn(second);
    const asked = holder.release(ask, held);
    expect((await newcomer.decide(ask)).granted).toBe(false);
    await asked;
    expect((await newcomer.decide(ask)).granted).toBe(false);
    await until(() => one.permit !== undefined);
    expect(two.calls).toBe(0);
    await first.release(ask, one.permit as PermitReply);
    await until(() => two.permit !== undefined);
    await second.release(ask, two.permit as PermitReply);
    expect((await newcomer.decide(ask)).granted).toBe(true);
  });

  it("passes the turn on when nobody waits any more where it came", async () => {
    const [holder, first, second] = (await fleet(3, { keepMs: HOUR })) as [Process, Process, Process];
    const held = await holder.decide(ask);
    let called = 0;
    const end = first.watch(ask, () => called++);
    await until(async () => (await inLine(first)) === 1);
    const two = await waitIn(second);
    await holder.release(ask, held);
    await until(() => called === 1);
    expect(two.calls).toBe(0);
    end();
    await until(() => two.permit !== undefined);
  });

  it("calls up its own process through the reply, with nobody listening", async () => {
    const [only] = (await fleet(1)) as [Process];
    const held = await only.decide(ask);
    const one = await waitIn(only);
    await redis.cli("CLIENT", "KILL", "TYPE", "pubsub");
    await only.release(ask, held);
    await until(() => one.permit !== undefined);
  });

  it("says again who waits once it listens again: what was said meanwhile is lost", async () => {
    const [holder, first] = (await fleet(2, { keepMs: 1 })) as [Process, Process];
    const held = await holder.decide(ask);
    const one = await waitIn(first);
    await redis.cli("CLIENT", "KILL", "TYPE", "pubsub");
    await holder.release(ask, held);
    await until(() => one.permit !== undefined);
  });

  it("is not held up by a process that is gone", async () => {
    const [holder, gone, second] = (await fleet(3, { keepMs: 20, patienceMs: 20 })) as [
      Process,
      Process,
      Process,
    ];
    const held = await holder.decide(ask);
    await waitIn(gone);
    await gone.kill();
    const two = await waitIn(second);
    await holder.release(ask, held);
    await until(() => two.permit !== undefined);
  });

  it("is called up on a cluster, whichever node it listens to", { timeout: 60_000 }, async () => {
    const cluster = await startCluster();
    onTestFinished(() => cluster.stop());
    const urls = cluster.nodes.map(({ url }) => url);
    const [holder, ...others] = (await fleet(5, { lease: 60_000 }, urls)) as [Process, ...Process[]];
    const held = await holder.decide(ask);
    const permits: PermitReply[] = [];
    for (const process of others) {
      const turn = async (): Promise<void> => {
        const reply = await process.decide(ask);
        if (!reply.granted) return;
        end();
        permits.push(reply);
        await process.release(ask, reply);
      };
      const end = process.watch(ask, () => void turn());
    }
    await holder.release(ask, held);
    await until(() => permits.length === others.length);
  });

  it("asks again when a lease ends: nobody tells of that", async () => {
    const [holder, second] = (await fleet(2, { lease: 300 })) as [Process, Process];
    await holder.decide(ask);
    const two = await waitIn(second);
    await holder.kill();
    await until(() => two.permit !== undefined);
  });

  it("serves bulkheads in several processes, all of their calls, and never more than the limit at once", async () => {
    const processes = await fleet(3);
    let running = 0;
    let most = 0;
    const calls = processes.flatMap((store) => {
      const limited = createPipeline(
        bulkhead({ name: "b", store, concurrency: 2, queue: 20, maxWait: "1m" }),
      );
      return Array.from({ length: 15 }, () =>
        limited.execute(async () => {
          most = Math.max(most, ++running);
          await new Promise(setImmediate);
          running--;
        }),
      );
    });
    await Promise.all(calls);
    expect(most).toBe(2);
    const [{ context }] = processes as [Process];
    await until(async () => (await redis.cli("ZCARD", context.scope.key("permits", "b", ""))) === 0);
    expect(processes.map((process) => process.active("b"))).toEqual([{}, {}, {}]);
  });
});
