// A client may put a prefix before all keys, which what is published does not have.
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { expect, it, onTestFinished } from "vitest";

import { joinFleet, newScope } from "./fleet.test-help.ts";
import { talkTo } from "./talk.test-help.ts";

const redis = useRedis();

it("hears at once that a circuit has opened also where a client has a keyPrefix", async () => {
  const scope = newScope();
  const join = async () => {
    // No heartbeat tells it before the test is over.
    const member = await joinFleet(redis.url, { scope, lease: 600_000, redis: { keyPrefix: "team 1:" } });
    onTestFinished(() => member.close());
    return { member, talk: talkTo(member, { openForMs: 60_000, maxOpenForMs: 60_000 }) };
  };
  const [{ talk: one }, { talk: other, member }] = [await join(), await join()];
  for (const talk of [one, other]) await talk.end(await talk.ticket(), "success");
  const hearing = async (): Promise<unknown> => {
    const [, count] = (await redis.cli(
      "PUBSUB",
      "NUMSUB",
      member.context.scope.channel("breaker"),
    )) as unknown[];
    return count;
  };
  await expect.poll(hearing).toBe(2);
  await one.end(await one.ticket(), "failure", true);
  await expect.poll(() => other.snapshot()?.status, { timeout: 10_000 }).toBe("open");
});
