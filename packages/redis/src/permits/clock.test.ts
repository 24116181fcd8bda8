// Permits on a server whose clock is set.
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import type { PermitReply } from "@breakwater/core";
import { expect, it, onTestFinished } from "vitest";

import { connected, newScope, permitAsk, type Process, startProcess, until } from "./process.test-help.ts";

const redis = useRedis({ faketime: true });
const LEASE = 900;

async function pair(): Promise<readonly [Process, Process]> {
  const scope = newScope();
  const one = startProcess(redis.url, { scope, lease: LEASE });
  const two = startProcess(redis.url, { scope, lease: LEASE });
  onTestFinished(async () => {
    await Promise.all([one.close(), two.close()]);
    await redis.server.setClock("+0");
  });
  return [await connected(one), await connected(two)];
}

it("has back what a dead process held although the clock was put back an hour", async () => {
  const [dead, alive] = await pair();
  const ask = permitAsk();
  await dead.decide(ask);
  await dead.kill();
  await redis.server.setClock("-1h");
  await until(async () => (await alive.decide(ask)).granted);
});

it("keeps what is held when the clock is put back", async () => {
  const [holder, other] = await pair();
  const ask = permitAsk();
  const held = await holder.decide(ask);
  const first = await believedUntil(holder, held);
  await redis.server.setClock("-1h");
  expect((await other.decide(ask)).granted).toBe(false);
  await until(async () => (await believedUntil(holder, held)) < first);
  const again = await believedUntil(holder, held);
  await until(async () => (await believedUntil(holder, held)) > again);
  expect((await other.decide(ask)).granted).toBe(false);
  await holder.release(ask, held);
  expect((await other.decide(ask)).granted).toBe(true);
});

it("counts again what is held a heartbeat after the clock was put forward by more than a lease", async () => {
  const [holder, other] = await pair();
  const ask = permitAsk();
  const held = await holder.decide(ask);
  const first = await believedUntil(holder, held);
  await redis.server.setClock("+1h");
  await until(async () => (await believedUntil(holder, held)) > first + 3_600_000_000);
  expect((await other.decide(ask)).granted).toBe(false);
  await holder.release(ask, held);
});

async function believedUntil({ context }: Process, { permit = "" }: PermitReply): Promise<number> {
  return Number(await redis.cli("ZSCORE", context.scope.key("permits", "account", ""), permit));
}
