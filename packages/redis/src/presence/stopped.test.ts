import { type Program, programOf } from "@breakwater-internal/redis-server/fork";
import { until, useRedis } from "@breakwater-internal/redis-server/vitest";
import { afterAll, beforeAll, expect, it } from "vitest";

import { createScope } from "../keys.ts";
import type { Told } from "./member.test-help.ts";

const redis = useRedis();
let program: Program;
beforeAll(async () => void (program = await programOf(new URL("./member.test-help.ts", import.meta.url))));
afterAll(() => program.remove());

/** A process that is known to Redis. */
async function member(scope: string) {
  const child = program.start(redis.url, scope, "300");
  const told: Told[] = [];
  child.on("message", (message) => void told.push(message as Told));
  await until(() => told.some((one) => "instance" in one));
  return { child, told };
}

it("a process that was stopped says hello before it decides, and says all of it again", async () => {
  const scope = "stopped";
  const instances = createScope(scope).key("instances");
  const [a, b] = [await member(scope), await member(scope)];
  await until(async () => (await redis.cli("ZCARD", instances)) === 2);
  b.told.length = 0;
  b.child.kill("SIGSTOP");
  // The other one goes on, and forgets it.
  await until(async () => (await redis.cli("ZCARD", instances)) === 1);
  b.child.kill("SIGCONT");
  await until(() => b.told.some((one) => "stoodStill" in one));
  await until(async () => (await redis.cli("ZCARD", instances)) === 2);
  expect(b.told.find((one) => "stoodStill" in one)).toEqual({ stoodStill: { decided: false } });
  await until(() => b.told.some((one) => "beat" in one && one.beat.again));

  // One that was killed is forgotten when its lease is over.
  a.child.kill("SIGKILL");
  await until(async () => (await redis.cli("ZCARD", instances)) === 1);
  b.child.kill("SIGKILL");
});
