import {
  type BreakerStore,
  circuitBreaker,
  createMemoryBreakerStore,
  createMemoryInstanceStore,
  createPipeline,
  INSTANCE_LIMITS,
  type InstanceStore,
  type Pipeline,
  rateLimit,
  retry,
  StoreError,
} from "@breakwater/core";
import { createTestClock, type TestClock } from "@breakwater/testing";
import { describe, expect, it } from "vitest";

import type { Order } from "./change.ts";
import { packMessage } from "./instances-message.ts";
import { packReport, readReport } from "./instances-report.ts";
import { createInstances, type Instances } from "./instances.ts";
import { type Local, openLocal } from "./local.ts";

interface Member extends Instances {
  readonly local: Local;
  readonly search: Pipeline;
  /** What it told those who look at it. */
  hints(): readonly string[];
}

/** One process of a service, with one pipeline. */
function join(
  instance: string,
  store: InstanceStore,
  runtime: TestClock,
  search = pipelineOf(runtime),
): Member {
  const local = openLocal(search, { instance, runtime });
  const instances = createInstances({
    store,
    service: "shop",
    instance,
    runtime,
    state: local.state,
    apply: local.apply,
    holdsForAll: local.holdsForAll,
    hint: (message) => local.tell({ type: "hint", message }),
  });
  return {
    ...instances,
    local,
    search,
    hints: () =>
      local
        .state()
        .events.flatMap(({ count = 1, message, type }) =>
          type === "hint" ? Array<string>(count).fill(String(message)) : [],
        ),
  };
}

function pipelineOf(runtime: TestClock): Pipeline {
  const limits = { requests: { limit: 10, per: "1m" } } as const;
  return createPipeline(
    { name: "search", runtime },
    circuitBreaker({ name: "breaker" }),
    rateLimit({ limits }),
    retry(),
  );
}

/** Two processes that have heard of one another. */
async function pair(
  store?: InstanceStore,
): Promise<{ clock: TestClock; a: Member; b: Member; store: InstanceStore }> {
  const clock = createTestClock();
  const shared = store ?? createMemoryInstanceStore({ runtime: clock });
  const [a, b] = [join("a", shared, clock), join("b", shared, clock)];
  await clock.advance(200);
  return { clock, a, b, store: shared };
}

const namesOf = async (member: Member): Promise<string[]> =>
  (await member.states()).instances.map(({ instance }) => instance);
const isForced = async ({ search }: Member): Promise<boolean> =>
  (await search.outcome(() => "found")).status === "refused";
const OPEN: Order = { client: "search", policy: "breaker", change: { force: "open" } };

describe("what instances see of one another", () => {
  it("is all of them, each with itself first and as it is now", async () => {
    const { a, b, clock } = await pair();
    expect(await namesOf(a)).toEqual(["a", "b"]);
    expect(await namesOf(b)).toEqual(["b", "a"]);
    await b.search.execute(() => "found");
    const of = async (viewer: Member, instance: string) =>
      (await viewer.states()).instances.find((one) => one.instance === instance)?.clients[0]?.stats.answered;
    expect(await of(b, "b")).toBe(1);
    expect(await of(a, "b")).toBe(0); // as it said last
    await clock.advance(2_000);
    expect(await of(a, "b")).toBe(1);
  });

  it("is read once a second, however many look", async () => {
    const clock = createTestClock();
    const memory = createMemoryInstanceStore({ runtime: clock });
    let reads = 0;
    const a = join("a", { ...memory, all: (service) => (reads++, memory.all(service)) }, clock);
    await Promise.all(Array.from({ length: 20 }, () => a.states()));
    expect(reads).toBe(1);
    await clock.advance(1_000);
    await a.states();
    expect(reads).toBe(2);
  });

  it("is not asked for again while it is read, and asked for again after that failed", async () => {
    const clock = createTestClock();
    const memory = createMemoryInstanceStore({ runtime: clock });
    let reads = 0;
    let fail = (_: Error): void => {};
    const all: InstanceStore["all"] = () => {
      reads++;
      return new Promise((_, reject) => (fail = reject));
    };
    const a = join("a", { ...memory, all }, clock);
    const looks = [a.states()];
    await clock.advance(3_000);
    looks.push(a.states());
    expect(reads).toBe(1);
    fail(new StoreError("too slow"));
    for (const { instancesError } of await Promise.all(looks)) expect(instancesError).toBe("too slow");
    void a.states();
    expect(reads).toBe(2);
  });

  it("is read less often the more there is of it", async () => {
    const clock = createTestClock();
    const memory = createMemoryInstanceStore({ runtime: clock });
    for (let n = 0; n < 30; n++) memory.put("shop", `n${n}`, "x".repeat(200_000), 60_000);
    let reads = 0;
    const a = join("a", { ...memory, all: (service) => (reads++, memory.all(service)) }, clock);
    for (let second = 0; second < 13; second++) {
      await a.states();
      await clock.advance(1_000);
    }
    expect(reads).toBe(2); // six million characters: one look in six seconds and a bit
  });

  it("loses one that is closed at once, and one that stands still after ten seconds", async () => {
    const { a, b, clock, store } = await pair();
    const c = join("c", store, clock);
    await clock.advance(2_200);
    expect(await namesOf(a)).toEqual(["a", "b", "c"]);
    await b.close();
    await clock.advance(1_000);
    expect(await namesOf(a)).toEqual(["a", "c"]);
    // As if it were killed: its last word is from now.
    const { report } = (await store.all("shop")).find(({ instance }) => instance === "c") ?? { report: "" };
    await c.close();
    await store.put("shop", "c", report, 10_000);
    await clock.advance(9_000);
    expect(await namesOf(a)).toEqual(["a", "c"]);
    await clock.advance(1_000);
    expect(await namesOf(a)).toEqual(["a"]);
  });

  it("leaves no timer behind once they are closed", async () => {
    const { a, b, clock } = await pair();
    await Promise.all([a.close(), b.close(), a.close()]);
    expect(clock.pending).toBe(0);
    const early = join("early", createMemoryInstanceStore({ runtime: clock }), clock);
    await early.close(); // before it has said anything
    expect(clock.pending).toBe(0);
  });

  it("is nothing of one that was closed while it was saying something", async () => {
    const clock = createTestClock();
    const store = createMemoryInstanceStore({ runtime: clock });
    let release = (): void => {};
    const put: InstanceStore["put"] = async (...args) => {
      await new Promise<void>((resolve) => (release = resolve));
      store.put(...args);
    };
    const slow = join("slow", { ...store, put }, clock);
    await clock.advance(200);
    const closed = slow.close();
    await clock.settle();
    release();
    await closed;
    expect(store.all("shop")).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("says of reports that are none, or of another release, that they are there", async () => {
    const { a, store } = await pair();
    await store.put("shop", "later", '{"v":2,"state":{}}', 10_000);
    await store.put("shop", "odd", "<html>", 10_000);
    await store.put(
      "shop",
      "liar",
      '{"v":1,"state":{"instance":"b","at":1,"startedAt":1,"clients":[],"events":[]}}',
      10_000,
    );
    await store.put("shop", "poor", '{"v":1,"state":{"instance":"poor","at":1,"startedAt":1}}', 10_000);
    const { instances, instancesError } = await a.states();
    expect(instances.map(({ instance }) => instance)).toEqual(["a", "b"]);
    expect(instancesError).toBe("4 of them cannot be read; another release?");
  });

  it("is told apart by their names: one that two have is an error that says so, and a name that none can have another", async () => {
    const clock = createTestClock();
    const store = createMemoryInstanceStore({ runtime: clock });
    join("same", store, clock);
    await clock.advance(300);
    const second = join("same", store, clock);
    expect(await second.states()).toMatchObject({
      instances: [{ instance: "same" }],
      instancesError: "another process is called same; give each a name of its own",
    });
    expect(() => join("x".repeat(201), store, clock)).toThrow(
      "instance must be a name of 1 to 200 characters",
    );
  });

  it("of one with many clients is all of them, with their charts", async () => {
    const clock = createTestClock();
    const many = Array.from({ length: 60 }, () => pipelineOf(clock));
    const local = openLocal(many, { instance: "big", runtime: clock });
    await Promise.all(many.map((one) => one.execute(() => "found")));
    const state = local.state();
    const { leftOut, text } = packReport(state);
    expect(leftOut).toBeUndefined();
    expect(readReport("big", text)).toEqual({ state });
  });

  it("of one with far too much to tell, is what there is room for", async () => {
    const clock = createTestClock();
    const store = createMemoryInstanceStore({ runtime: clock });
    const policies = Array.from({ length: 700 }, (_, n) =>
      retry({ name: `${"a very long name ".repeat(20)}${n}` }),
    );
    const big = join("big", store, clock, createPipeline({ name: "search", runtime: clock }, ...policies));
    const a = join("a", store, clock);
    await clock.advance(200);
    const report = store.all("shop").find(({ instance }) => instance === "big")?.report ?? "";
    expect(report).not.toBe("");
    expect(report.length).toBeLessThanOrEqual(INSTANCE_LIMITS.reportLength);
    const { instances, instancesError } = await a.states();
    const seen = instances.find(({ instance }) => instance === "big");
    expect(seen?.clients).toMatchObject([{ name: "search", policies: [], stats: { calls: 0 } }]);
    expect(instancesError).toContain("big has too much to tell: events, charts and policies left out");
    expect(big.hints()).toEqual([expect.stringContaining("events, charts and policies")]);
    await clock.advance(4_000);
    expect(big.hints()).toHaveLength(1);
  });
});

describe("what is asked of all instances", () => {
  it("is done by each within two seconds, and told as the deed of who asked", async () => {
    const { a, b, clock } = await pair();
    await a.local.apply(OPEN, "ada");
    await a.tell(OPEN, "ada");
    await clock.advance(2_000);
    expect([await isForced(a), await isForced(b)]).toEqual([true, true]);
    for (const { local } of [a, b]) {
      const changes = local.state().events.filter(({ type }) => type === "policy-change");
      expect(changes).toMatchObject([{ policy: "breaker", by: "ada", change: { force: "open" } }]);
    }
    await a.tell({ ...OPEN, change: { force: "auto" } }, undefined);
    await clock.advance(2_000);
    expect(await isForced(b)).toBe(false);
  });

  it("is not heard by one that starts later, nor by one that could not hear it for ten seconds", async () => {
    const { a, clock, store } = await pair();
    await a.tell(OPEN, "ada");
    const late = join("late", store, clock);
    await clock.advance(4_000);
    expect(await isForced(late)).toBe(false);

    let away = false;
    const told: InstanceStore["told"] = (service, after) => {
      if (away) throw new StoreError("away");
      return store.told(service, after);
    };
    const lost = join("lost", { ...store, told }, clock);
    await clock.advance(2_000);
    away = true;
    await a.tell(OPEN, "ada");
    await clock.advance(11_000);
    away = false;
    await clock.advance(4_000);
    expect(await isForced(lost)).toBe(false);
    await a.tell(OPEN, "ada");
    await clock.advance(2_000);
    expect(await isForced(lost)).toBe(true);
  });

  it("is not obeyed by a process that stood still while it was told", async () => {
    const clock = createTestClock();
    const store = createMemoryInstanceStore({ runtime: clock });
    let release = (): void => {};
    const told: InstanceStore["told"] = async (service, after) => {
      const reply = store.told(service, after);
      if (reply.messages.length > 0) await new Promise<void>((resolve) => (release = resolve));
      return reply;
    };
    // Its own clock stands still with it, and has moved on when it looks: nothing of it is due in between.
    let stood = 0;
    const runtime: TestClock = {
      ...clock,
      now: () => clock.now() + stood,
      get pending() {
        return clock.pending;
      },
    };
    const frozen = join("frozen", { ...store, told }, runtime);
    await clock.advance(200);
    store.tell("shop", packMessage({ id: "1", order: OPEN }), 10_000);
    await clock.advance(2_000);
    stood = 10_000;
    release();
    await clock.settle();
    expect(await isForced(frozen)).toBe(false);
    await frozen.close();
  });

  it("is done once, also by who hears it twice", async () => {
    const { b, clock, store } = await pair();
    const message = packMessage({
      id: "one",
      order: { ...OPEN, policy: "rate-limit", change: { update: { mode: "shadow" } } },
    });
    await store.tell("shop", message, 10_000);
    await store.tell("shop", message, 10_000);
    await clock.advance(2_000);
    await store.tell("shop", message, 10_000);
    await clock.advance(2_000);
    const changes = b.local.state().events.filter(({ type }) => type === "policy-change");
    expect(changes).toHaveLength(1);
    expect(b.search.describe().policies[1]?.options["mode"]).toBe("shadow");
  });

  it("by two at once ends alike everywhere, as it was told last", async () => {
    const { a, b, clock, store } = await pair();
    const c = join("c", store, clock);
    await clock.advance(200);
    const limitTo = (limit: number): Order => ({
      client: "search",
      policy: "rate-limit",
      change: { update: { limits: { requests: { limit, per: "1m" } } } },
    });
    const limits = () =>
      [a, b, c].map(({ search }) => search.describe().policies[1]?.options["limits"]) as unknown;
    const all = (limit: number) => Array.from({ length: 3 }, () => ({ requests: { limit, per: "1m" } }));
    for (const [member, limit] of [
      [a, 1],
      [b, 2],
    ] as const) {
      await member.local.apply(limitTo(limit), "ada");
      await member.tell(limitTo(limit), "ada");
    }
    await clock.advance(2_000);
    expect(limits()).toEqual(all(2));
    await clock.advance(10_000);
    expect(limits()).toEqual(all(2));
  });

  it("goes by the name of a policy, since another release may have another one at its position", async () => {
    const clock = createTestClock();
    const store = createMemoryInstanceStore({ runtime: clock });
    const [one, other] = [retry({ name: "same" }), circuitBreaker({ name: "breaker" })];
    const a = join(
      "a",
      store,
      clock,
      createPipeline({ name: "search", runtime: clock }, one, retry({ name: "same" }), other),
    );
    const b = join(
      "b",
      store,
      clock,
      createPipeline({ name: "search", runtime: clock }, circuitBreaker({ name: "breaker" }), one),
    );
    await clock.advance(200);
    await a.tell({ ...OPEN, policy: 2 }, "ada");
    await clock.advance(2_000);
    expect(await isForced(b)).toBe(true);
    await a.tell({ client: "search", policy: 0, change: { update: { mode: "off" } } }, "ada");
    await clock.advance(2_000);
    expect(b.search.describe().policies[0]?.options["mode"]).toBe("enforce");
    expect(b.hints()).toEqual([
      "what ada asked of all instances was not done here: the policy at position 0 is another one here",
    ]);
  });

  it("is not told where it holds for all already, else a circuit that all share would be forced by each in turn", async () => {
    const clock = createTestClock();
    const store = createMemoryInstanceStore({ runtime: clock });
    const breaker: BreakerStore = { ...createMemoryBreakerStore(), shared: true };
    const make = (): Pipeline =>
      createPipeline({ name: "search", runtime: clock }, circuitBreaker({ name: "breaker", store: breaker }));
    const [a, b] = [join("a", store, clock, make()), join("b", store, clock, make())];
    await clock.advance(200);
    await a.local.apply(OPEN, "ada");
    await a.tell(OPEN, "ada");
    expect([await isForced(a), await isForced(b)]).toEqual([true, true]);
    await a.local.apply({ ...OPEN, change: { force: "auto" } }, "ada");
    await clock.advance(4_000);
    expect([await isForced(a), await isForced(b)]).toEqual([false, false]);
    const shadow = { ...OPEN, change: { update: { mode: "shadow" } } };
    await a.local.apply(shadow, "ada");
    await a.tell(shadow, "ada");
    await clock.advance(2_000);
    expect(b.search.describe().policies[0]?.options["mode"]).toBe("shadow");
  });

  it("that cannot be done here is told, and harms nothing", async () => {
    const { a, b, clock, store } = await pair();
    await store.tell(
      "shop",
      packMessage({ id: "1", by: "ada", order: { ...OPEN, client: "unknown" } }),
      10_000,
    );
    await a.tell({ client: "search", policy: "rate-limit", change: { update: { limits: 7 } } }, undefined);
    await a.tell(OPEN, "ada");
    await clock.advance(2_000);
    expect(b.hints()).toEqual([
      'what ada asked of all instances was not done here: There is no client "unknown"; there is "search".',
      expect.stringMatching(/^what somebody asked of all instances was not done here: .*limits/),
    ]);
    expect(await isForced(b)).toBe(true);
    expect(a.hints()).toHaveLength(1);
  });

  it("and is none is ignored, and told in one word however much of it there is", async () => {
    const { a, b, clock, store } = await pair();
    const good = JSON.parse(packMessage({ id: "x", order: OPEN })) as Record<string, unknown>;
    const forged = [
      "",
      "null",
      "[]",
      "{}",
      "not JSON",
      JSON.stringify({ ...good, v: 2 }),
      JSON.stringify({ ...good, id: 7 }),
      JSON.stringify({ ...good, by: { name: "ada" } }),
      JSON.stringify({ ...good, order: OPEN }),
      JSON.stringify({ ...good, order: "{" }),
      JSON.stringify({ ...good, order: '{"client":"search","policy":"breaker"}' }),
      JSON.stringify({
        ...good,
        order: '{"client":"search","policy":0,"change":{"__proto__":{"force":"open"}}}',
      }),
      JSON.stringify({ ...good, policyName: 1 }),
    ];
    for (const message of forged) await store.tell("shop", message, 10_000);
    await clock.advance(2_000);
    expect([await isForced(a), await isForced(b)]).toEqual([false, false]);
    expect(b.hints()).toEqual([
      `what all instances were told is no order, or of another release: ${forged.length} ignored`,
    ]);
  });
});

describe("while the store is away", () => {
  it("this instance is shown, with why there are no others; an outage that lasts is told, and its end", async () => {
    const clock = createTestClock();
    const memory = createMemoryInstanceStore({ runtime: clock });
    let away = true;
    const ask = <T>(f: () => T): T => {
      if (away) throw new StoreError("nobody is there", { cause: new Error("secret") });
      return f();
    };
    const store: InstanceStore = {
      put: (...args) => ask(() => memory.put(...args)),
      remove: (...args) => ask(() => memory.remove(...args)),
      all: (...args) => ask(() => memory.all(...args)),
      tell: (...args) => ask(() => memory.tell(...args)),
      told: (...args) => ask(() => memory.told(...args)),
    };
    const [a, b] = [join("a", store, clock), join("b", store, clock)];
    await clock.advance(200);
    expect(a.hints()).toEqual([]);
    expect(await a.states()).toMatchObject({
      instances: [{ instance: "a" }],
      instancesError: "nobody is there",
    });
    await expect(a.tell(OPEN, "ada")).rejects.toThrow("nobody is there");
    await clock.advance(20_000);
    expect(a.hints()).toEqual(["other instances are not seen: nobody is there"]);
    away = false;
    await clock.advance(2_000);
    expect(a.hints()).toEqual([
      "other instances are not seen: nobody is there",
      "other instances are seen again",
    ]);
    const { instances, instancesError } = await a.states();
    expect([instances.map(({ instance }) => instance), instancesError]).toEqual([["a", "b"], undefined]);
    away = true;
    await Promise.all([a.close(), b.close()]);
    expect(clock.pending).toBe(0);
  });

  it("and never answers, nobody waits for ever", async () => {
    const clock = createTestClock();
    const never = (): Promise<never> => new Promise(() => {});
    const a = join("a", { put: never, remove: never, all: never, tell: never, told: never }, clock);
    await clock.advance(200);
    const states = await clock.until(a.states());
    expect(states).toMatchObject({
      instances: [{ instance: "a" }],
      instancesError: expect.stringMatching("did not answer within 5000 ms"),
    });
    await expect(clock.until(a.tell(OPEN, "ada"))).rejects.toThrow(StoreError);
    await clock.until(a.close());
    expect(clock.pending).toBe(0);
  });

  it("and has no room for one more, that one sees the others and says so", async () => {
    const clock = createTestClock();
    const store = createMemoryInstanceStore({ runtime: clock });
    for (let n = 0; n < INSTANCE_LIMITS.instances; n++) store.put("shop", `n${n}`, "", 60_000);
    const late = join("late", store, clock);
    await clock.advance(200);
    expect((await late.states()).instancesError).toContain('"shop" has 200 already');
  });
});
