// What is told to Redis takes effect in the order in which it was told, also where the server has forgotten its scripts.
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import type { PermitAsk } from "@breakwater/core";
import { Redis } from "ioredis";
import { expect, it, onTestFinished } from "vitest";

import { redisStore } from "../src/index.ts";
import { newScope, until } from "./outage.test-help.ts";

const redis = useRedis();

const ask = (name: string): PermitAsk => ({ kind: "permit", name, key: "", limit: 10, version: 0 });

/** The event loop comes round so often; every reply that is there has been read by then. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

it("a permit that has been given back does not come back to life by a heartbeat that was told before", async () => {
  const client = new Redis(redis.url, {
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
  });
  onTestFinished(() => client.disconnect());
  const call = client.call.bind(client) as (command: string, ...args: unknown[]) => Promise<unknown>;
  let text: unknown;
  let renewed: (() => void) | undefined;
  // Between a heartbeat and what is told after it the script is loaded, as by another process.
  const meddling = async (command: string, ...args: unknown[]): Promise<unknown> => {
    if (command === "EVAL" && args.includes("permit-renew")) text = args[0];
    if (command !== "EVALSHA" || renewed === undefined || !args.includes("permit-renew"))
      return call(command, ...args);
    const release = renewed;
    renewed = undefined;
    void call("SCRIPT", "FLUSH");
    const told = call(command, ...args).catch((error: unknown) => error);
    void call("SCRIPT", "LOAD", text);
    release();
    const error = await told;
    await turns(20); // whoever wants to overtake has done so
    throw error;
  };
  Object.assign(client, { call: meddling });

  const store = redisStore({ client, scope: newScope(), decisionTimeout: "5s", lease: "10m" });
  onTestFinished(() => store.close());
  await until(() => store.status().up);
  const reply = await store.decide(ask("seats"));
  await store.decide(ask("a name that makes it say what it holds"));
  await until(() => text !== undefined);
  await turns(20);

  const released = new Promise<void>((resolve) => {
    renewed = () => void Promise.resolve(store.release(ask("seats"), reply)).then(() => resolve());
  });
  await store.decide(ask("another one"));
  await released;
  await turns(100); // and what was told before is done, at whatever time
  expect(await store.decide(ask("seats"))).toMatchObject({ granted: true, active: 1 });
});
