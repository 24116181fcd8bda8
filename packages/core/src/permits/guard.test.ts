// The line over a store that answers later, whose places become free unseen.
import { describe, expect, it } from "vitest";

import { createTestClock, scriptedUpstream } from "../../../testing/src/index.ts";
import {
  bulkhead,
  type BulkheadOptions,
  createClient,
  type PermitReply,
  type PermitStore,
} from "../index.ts";

/** A store that a test answers by hand. */
function distant() {
  const asked: ((reply: PermitReply | Promise<never>) => void)[] = [];
  const wakes = new Set<() => void>();
  let released = 0;
  const store: PermitStore = {
    decide: () => new Promise((resolve) => asked.push(resolve)),
    release: async () => void released++,
    active: () => ({}),
    watch(_, wake) {
      wakes.add(wake);
      return () => void wakes.delete(wake);
    },
  };
  return {
    store,
    asked,
    get watches() {
      return wakes.size;
    },
    get released() {
      return released;
    },
    wake: () => wakes.forEach((wake) => wake()),
    grant: (active = 1) => asked.shift()?.({ granted: true, active }),
    refuse: () => asked.shift()?.({ granted: false, active: 1 }),
    fail: () => asked.shift()?.(Promise.reject(new Error("away"))),
  };
}

function limited(options: Partial<BulkheadOptions<string>> = {}) {
  const clock = createTestClock();
  const script = scriptedUpstream<string, string>();
  const redis = distant();
  const limit = bulkhead<string>({ concurrency: 1, queue: 5, store: redis.store, ...options });
  const ask = createClient({ upstream: script.upstream, runtime: clock }, limit);
  return { clock, script, redis, limit, ask };
}

describe("a line over a distant store", () => {
  it("is left by who goes because the store is away, and not only when his call has ended", async () => {
    const { clock, script, redis, ask } = limited({ outage: "open" });
    for (const request of ["a", "b"]) {
      void ask.outcome(request);
      await clock.settle();
    }
    redis.refuse();
    await clock.settle();
    redis.refuse();
    await clock.settle();
    redis.wake();
    await clock.settle();
    redis.fail();
    await clock.settle();
    expect(script.calls).toBe(1);
    redis.fail();
    await clock.settle();
    expect(script.calls).toBe(2);
    expect(redis.watches).toBe(0);
  });

  it("is watched once for each key, from the first who waits to the last", async () => {
    const { clock, script, redis, ask } = limited({ key: (request) => request.slice(0, 1) });
    for (const request of ["a1", "a2", "b1"]) {
      void ask.outcome(request);
      await clock.settle();
      redis.refuse();
      await clock.settle();
    }
    expect(redis.asked, "a2 stands behind a1").toHaveLength(0);
    expect(redis.watches).toBe(2);
    for (let i = 0; i < 3; i++) {
      redis.wake();
      await clock.settle();
      while (redis.asked.length > 0) redis.grant();
      await clock.settle();
    }
    expect(redis.watches).toBe(0);
    expect(script.calls).toBe(3);
  });

  it("asks once more when it is woken while it asks: the answer may be older", async () => {
    const { clock, script, redis, ask } = limited();
    void ask.outcome("one");
    redis.refuse();
    await clock.settle();
    redis.wake();
    await clock.settle();
    redis.wake(); // a place was given back after the store had looked
    redis.refuse();
    await clock.settle();
    expect(redis.asked).toHaveLength(1);
    redis.grant();
    await clock.settle();
    expect(script.calls).toBe(1);
  });

  it("calls up one after another, and none when the store has no more room", async () => {
    const { clock, redis, ask } = limited({ concurrency: 3 });
    for (let i = 0; i < 3; i++) {
      void ask.outcome(`${i}`);
      redis.refuse();
      await clock.settle();
    }
    redis.wake();
    await clock.settle();
    redis.grant(2);
    await clock.settle();
    expect(redis.asked, "two of three are out").toHaveLength(1);
    redis.grant(3);
    await clock.settle();
    expect(redis.asked, "all are out").toHaveLength(0);
    expect(redis.watches).toBe(1);
  });

  it("keeps his place for who asks while a more urgent call comes, and gives no call two", async () => {
    const { clock, script, redis, limit, ask } = limited();
    const batch = ask.outcome("batch", { priority: "batch" });
    redis.refuse();
    await clock.settle();
    redis.wake();
    await clock.settle();
    void ask.outcome("urgent");
    await clock.settle();
    redis.wake(); // calls up the urgent one: both ask
    await clock.settle();
    expect(redis.asked).toHaveLength(2);
    redis.grant();
    await clock.settle();
    expect(limit.snapshot?.()).toMatchObject({ queued: { "": 1 } });
    expect((await script.next()).request).toBe("batch");
    redis.refuse();
    await clock.settle();
    expect(limit.snapshot?.()).toMatchObject({ queued: { "": 1 } });
    redis.wake();
    await clock.settle();
    redis.grant();
    (await script.next()).answer("done");
    await clock.settle();
    expect(limit.snapshot?.()).toMatchObject({ queued: {} });
    void batch;
  });

  it("waits no longer than it may, however often it is called up in vain", async () => {
    const { clock, redis, ask } = limited({ maxWait: 100 });
    const outcome = ask.outcome("one");
    redis.refuse();
    await clock.settle();
    await clock.advance(90);
    redis.wake();
    await clock.settle();
    await clock.advance(20); // while it asks
    redis.refuse();
    expect(await outcome).toMatchObject({ refusal: { code: "QUEUE_TIMEOUT" } });
    expect(redis.watches).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("waits no longer than it may after it was called up in vain", async () => {
    const { clock, redis, ask } = limited({ maxWait: 100 });
    const outcome = ask.outcome("one");
    redis.refuse();
    await clock.settle();
    redis.wake();
    await clock.settle();
    redis.refuse();
    await clock.settle();
    await clock.advance(100);
    expect(await Promise.race([outcome, clock.settle()])).toMatchObject({
      refusal: { code: "QUEUE_TIMEOUT" },
    });
    expect(redis.watches).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("passes its turn on when it leaves while it asks, and gives back what comes too late", async () => {
    const { clock, script, redis, ask } = limited();
    const controller = new AbortController();
    void ask.outcome("one", { signal: controller.signal });
    redis.refuse();
    await clock.settle();
    void ask.outcome("two");
    redis.wake();
    await clock.settle();
    controller.abort();
    await clock.settle();
    expect(redis.asked, "two asks as well").toHaveLength(2);
    redis.grant();
    await clock.settle();
    expect(redis.released).toBe(1);
    redis.grant();
    expect((await script.next()).request).toBe("two");
    expect(redis.watches).toBe(0);
  });
});
