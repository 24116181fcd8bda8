// A client may put a prefix before all keys, which what is published does not have.
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { expect, it, onTestFinished } from "vitest";

import { connected, HOUR, newScope, permitAsk, startProcess, until } from "./process.test-help.ts";

const redis = useRedis();

it("calls up who waits also where a client has a keyPrefix", async () => {
  const scope = newScope();
  const ask = permitAsk();
  const [holder, waiter] = await Promise.all(
    [1, 2].map(() => {
      const process = startProcess(redis.url, { scope, patienceMs: HOUR, redis: { keyPrefix: "team 1:" } });
      onTestFinished(() => process.close());
      return connected(process);
    }),
  );
  if (holder === undefined || waiter === undefined) throw new Error("there are two");
  const held = await holder.decide(ask);
  let calls = 0;
  onTestFinished(waiter.watch(ask, () => void calls++));
  const key = `team 1:${waiter.context.scope.key("permits", ask.name, ask.key)}`;
  await until(async () => Number(await redis.cli("ZCARD", key)) === 2);
  await holder.release(ask, held);
  await until(() => calls > 0);
  expect((await waiter.decide(ask)).granted).toBe(true);
});
