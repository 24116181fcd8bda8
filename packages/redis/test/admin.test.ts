// Several processes of one service on one page, over a real Redis.
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import {
  circuitBreaker,
  createPipeline,
  type InstanceStore,
  type Pipeline,
  rateLimit,
} from "@breakwater/core";
import { type Admin, admin, type AdminState } from "@breakwater/http";
import { createTestClock } from "@breakwater/testing";
import { expect, it, onTestFinished } from "vitest";

import type { RedisStore } from "../src/index.ts";
import { connected, newScope, until } from "./outage.test-help.ts";

const redis = useRedis({ faketime: true });

interface Member {
  readonly page: Admin;
  readonly search: Pipeline;
  readonly store: RedisStore;
  /** Two seconds pass for it: it says how it is, and hears what was asked of all. */
  tick(): Promise<void>;
}

/** A process, on a clock of its own in the hand. */
async function join(instance: string, scope: string): Promise<Member> {
  const store = await connected(redis.url, scope, { decisionTimeout: "2s" });
  const clock = createTestClock();
  const search = createPipeline(
    { name: "search", runtime: clock },
    circuitBreaker({ name: "breaker" }),
    rateLimit({ name: "limit", limits: { requests: { limit: 1, per: "1h" } } }),
  );
  const { idle, tracked } = track(store);
  const page = admin(search, {
    authorize: (request) => ({ by: request.headers.get("who") ?? "nobody", may: "change" }),
    instances: tracked,
    instance,
    service: "shop",
    runtime: clock,
  });
  onTestFinished(() => page.close());
  const tick = async (): Promise<void> => {
    await clock.advance(2_000);
    await until(idle);
    await clock.settle();
  };
  return { page, search, store, tick };
}

/** Redis takes its own time, of which the clock in the hand knows nothing. */
function track(store: InstanceStore): { readonly tracked: InstanceStore; readonly idle: () => boolean } {
  let asked = 0;
  const counted =
    <A extends readonly unknown[], T>(ask: (...args: A) => T) =>
    async (...args: A): Promise<Awaited<T>> => {
      asked++;
      try {
        return await ask(...args);
      } finally {
        asked--;
      }
    };
  const { all, put, remove, tell, told } = store;
  return {
    tracked: { all, remove, tell, put: counted(put), told: counted(told) },
    idle: () => asked === 0,
  };
}

async function stateOf({ page }: Member): Promise<AdminState> {
  const response = await page(new Request("http://localhost/state?scope=all"));
  expect(response.status).toBe(200);
  return (await response.json()) as AdminState;
}

const namesOn = async (member: Member): Promise<string[]> =>
  (await stateOf(member)).instances.map(({ instance }) => instance);

function changeAll(member: Member, policy: string, change: object): Promise<Response> {
  return member.page(
    new Request("http://localhost/change", {
      method: "POST",
      headers: { "content-type": "application/json", who: "ada" },
      body: JSON.stringify({ client: "search", policy, change, scope: "all" }),
    }),
  );
}

/** Who refuses, or how it went. */
async function sent({ search }: Member): Promise<string> {
  const outcome = await search.outcome(() => "found");
  return outcome.status === "refused" ? outcome.refusal.by : outcome.status;
}

it("each shows both, and what is asked of all is done by both at their next beat", async () => {
  const scope = newScope();
  const [a, b] = [await join("a", scope), await join("b", scope)];
  for (const member of [a, b, a, b]) await member.tick();
  expect(await namesOn(a)).toEqual(["a", "b"]);
  expect(await namesOn(b)).toEqual(["b", "a"]);
  expect(await stateOf(a)).toMatchObject({ service: "shop", shared: true });

  expect((await changeAll(a, "breaker", { force: "open" })).status).toBe(200);
  expect([await sent(a), await sent(b)]).toEqual(["breaker", "answered"]);
  await b.tick();
  expect(await sent(b)).toBe("breaker");
  expect((await changeAll(b, "breaker", { force: "auto" })).status).toBe(200);
  await a.tick();
  expect(await sent(a)).toBe("answered"); // the one that the limit lets pass
  expect([await sent(a), await sent(b)]).toEqual(["limit", "limit"]);
  expect((await changeAll(b, "limit", { update: { mode: "shadow" } })).status).toBe(200);
  await a.tick();
  expect([await sent(a), await sent(b)]).toEqual(["answered", "answered"]);

  await b.tick();
  await a.tick();
  const { instances } = await stateOf(a);
  for (const { clients, events } of instances) {
    expect(clients[0]?.policies[1]).toMatchObject({ name: "limit", mode: "shadow" });
    expect(events.filter(({ type }) => type === "policy-change")).toMatchObject([
      { policy: "breaker", change: { force: "open" }, by: "ada" },
      { policy: "breaker", change: { force: "auto" }, by: "ada" },
      { policy: "limit", change: { update: { mode: "shadow" } }, by: "ada" },
    ]);
  }
  const wrong = await changeAll(a, "limit", { update: { limits: 7 } });
  expect(wrong.status).toBe(400);
  await b.tick();
  expect(JSON.stringify((await stateOf(b)).instances[0]?.events)).not.toContain("was not done here");
});

it("one that says nothing any more is gone ten seconds later, by the server's clock", async () => {
  const scope = newScope();
  const [a, b] = [await join("a", scope), await join("b", scope)];
  for (const member of [a, b, a]) await member.tick();
  expect(await namesOn(a)).toEqual(["a", "b"]);
  onTestFinished(() => redis.server.setClock("+0"));
  await redis.server.setClock("+11s");
  await a.tick(); // and b does nothing, as a process that was killed
  expect(await namesOn(a)).toEqual(["a"]);
  await b.tick();
  await a.tick();
  expect(await namesOn(a)).toEqual(["a", "b"]);
});

it("while Redis is away each shows itself and says why; afterwards both see one another again", async () => {
  const scope = newScope();
  const [a, b] = [await join("a", scope), await join("b", scope)];
  for (const member of [a, b, a]) await member.tick();
  expect(await namesOn(a)).toEqual(["a", "b"]);
  await redis.server.kill();
  await until(() => !a.store.status().up && !b.store.status().up);
  for (const member of [a, b, a, b]) await member.tick();
  const alone = await stateOf(a);
  expect(alone.instances.map(({ instance }) => instance)).toEqual(["a"]);
  expect(alone.instancesError).toMatch(/^instances cannot be read in Redis: Redis is not connected/);
  const half = await changeAll(a, "breaker", { force: "open" });
  expect(half.status).toBe(503);
  expect(await half.json()).toMatchObject({ detail: expect.stringContaining("changed in a") });
  expect([await sent(a), await sent(b)]).toEqual(["breaker", "answered"]);

  await redis.server.restart();
  await until(() => a.store.status().up && b.store.status().up);
  for (const member of [a, b, a]) await member.tick();
  const again = await stateOf(a);
  expect(again.instances.map(({ instance }) => instance)).toEqual(["a", "b"]);
  expect(again.instancesError).toBeUndefined();
  // Redis has lost all that it knew: what is asked of all is heard all the same.
  expect((await changeAll(a, "breaker", { force: "open" })).status).toBe(200);
  await b.tick();
  expect(await sent(b)).toBe("breaker");
});
