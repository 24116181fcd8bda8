// The traps of other bulkheads, each by its number.
import { describe, expect, it } from "vitest";

import { createTestClock, scriptedUpstream } from "../../../../testing/src/index.ts";
import {
  bulkhead,
  type BulkheadOptions,
  createClient,
  type Outcome,
  timeout,
  upstream,
} from "../../index.ts";

function limited(options: Partial<BulkheadOptions<string>> = {}) {
  const clock = createTestClock();
  const script = scriptedUpstream<string, string>();
  const limit = bulkhead<string>({ concurrency: 1, queue: 3, ...options });
  const ask = createClient({ upstream: script.upstream, runtime: clock }, limit);
  return { clock, script, limit, ask };
}

describe("bulkhead", () => {
  it("trap 23: who waits is never overtaken by who comes later", async () => {
    const { script, ask } = limited();
    const first = ask("first");
    const running = await script.next();
    const second = ask("second");
    running.answer("done");
    const third = ask("third"); // in the same breath in which the place became free
    await first;
    const next = await script.next();
    expect(next.request).toBe("second");
    next.answer("done");
    expect(await second).toBe("done");
    (await script.next()).answer("done");
    expect(await third).toBe("done");
  });

  it("trap 24: who leaves while he waits is gone at once, and his work never runs", async () => {
    const { clock, script, limit, ask } = limited();
    const first = ask("first");
    const running = await script.next();
    const controller = new AbortController();
    const second = ask.outcome("second", { signal: controller.signal });
    controller.abort("left");
    await clock.settle();
    expect(limit.snapshot?.()).toMatchObject({ queued: {} });
    expect(await second).toMatchObject({ status: "cancelled", reason: "left" });
    running.answer("done");
    await first;
    await clock.settle();
    expect(script.calls).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it("trap 25: places of those who left are free for others", async () => {
    const { script, ask } = limited({ queue: 2 });
    void ask("first");
    const running = await script.next();
    const controllers = [new AbortController(), new AbortController()];
    for (const { signal } of controllers) void ask.outcome("leaves", { signal });
    expect(await ask.outcome("one too many")).toMatchObject({ refusal: { code: "BULKHEAD_FULL" } });
    for (const controller of controllers) controller.abort();
    const stays = ask("stays");
    running.answer("done");
    (await script.next()).answer("done");
    expect(await stays).toBe("done");
  });

  it("trap 26: deaf work holds its permit after the clock has answered for it", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, string>();
    const limit = bulkhead({ concurrency: 1, grace: "1m" });
    const ask = createClient({ upstream: script.upstream, runtime: clock }, limit, timeout({ total: 10 }));
    const first = ask.outcome("first");
    const deaf = await script.next();
    await clock.advance(10);
    expect((await first).status).toBe("failed");
    expect((await ask.outcome("second")).status).toBe("refused");
    expect(script.active).toBe(1);
    deaf.answer("at last");
    await clock.settle();
    const third = ask("third");
    (await script.next()).answer("done");
    expect(await third).toBe("done");
  });

  it("trap 27, 28: a throw gives the permit back, once", async () => {
    const limit = bulkhead({ concurrency: 1 });
    const throwing = createClient(
      upstream((_: string): string => {
        throw new Error("sync");
      }),
      limit,
    );
    for (let i = 0; i < 3; i++) expect((await throwing.outcome("x")).status).toBe("failed");
    expect(limit.snapshot?.()).toMatchObject({ active: {} });
  });

  it("trap 29: a waiter who timed out swallows no permit", async () => {
    const { clock, script, ask } = limited({ maxWait: 100 });
    const first = ask("first");
    const running = await script.next();
    const late = ask.outcome("late");
    await clock.advance(50);
    const patient = ask("patient");
    await clock.advance(50);
    expect(await late).toMatchObject({ refusal: { code: "QUEUE_TIMEOUT" } });
    running.answer("done");
    await first;
    const next = await script.next();
    expect(next.request).toBe("patient");
    next.answer("done");
    expect(await patient).toBe("done");
    expect(clock.pending).toBe(0);
  });

  it("trap 31: nested use of one bulkhead counts once instead of waiting for itself", async () => {
    const limit = bulkhead({ concurrency: 1, queue: 5 });
    const inner = createClient(
      upstream(async (n: number) => n),
      limit,
    );
    const outer = createClient(
      upstream((n: number, { signal }) => inner(n + 1, { signal })),
      limit,
    );
    expect(await outer(1)).toBe(2);
  });

  it("trap 81: an admission that comes after the abort is given back, however late", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, string>();
    let grant: () => void = () => {};
    let released = 0;
    const limit = bulkhead({
      concurrency: 1,
      store: {
        decide: () => new Promise((resolve) => (grant = () => resolve({ granted: true, active: 1 }))),
        release: () => void released++,
        active: () => ({}),
      },
    });
    const ask = createClient({ upstream: script.upstream, runtime: clock }, limit);
    const controller = new AbortController();
    const asked = ask.outcome("x", { signal: controller.signal });
    controller.abort();
    await asked;
    grant();
    await clock.settle();
    expect(released).toBe(1);
    expect(script.calls).toBe(0);
  });

  it("serves interactive calls before batch, each in order", async () => {
    const { script, ask } = limited({ queue: 4 });
    const asked: (Outcome<string> | Promise<Outcome<string>>)[] = [ask.outcome("running")];
    let running = await script.next();
    for (const [name, priority] of [
      ["b1", "batch"],
      ["i1", "interactive"],
      ["b2", "batch"],
      ["i2", "interactive"],
    ] as const) {
      asked.push(ask.outcome(name, { priority }));
    }
    const order: string[] = [];
    for (let i = 0; i < 4; i++) {
      running.answer("done");
      running = await script.next();
      order.push(running.request);
    }
    running.answer("done");
    await Promise.all(asked.map(async (one) => one));
    expect(order).toEqual(["i1", "i2", "b1", "b2"]);
  });

  it("takes a new limit while calls run: keeps permits, lets more in", async () => {
    const { script, limit, ask } = limited();
    const first = ask("first");
    const running = await script.next();
    const second = ask("second");
    limit.update({ concurrency: 2 });
    const third = ask("third");
    running.answer("done");
    await first;
    for (let i = 0; i < 2; i++) (await script.next()).answer("done");
    expect([await second, await third]).toEqual(["done", "done"]);
    expect(limit.snapshot?.()).toMatchObject({ limit: 2, active: {}, queued: {} });
  });

  it("trap 78: an update that is wrong changes nothing", () => {
    const { limit } = limited();
    expect(() => limit.update({ queue: 9, concurrency: 0 })).toThrow(
      "bulkhead: concurrency must be a whole number of at least 1, got 0.",
    );
    expect(limit.describe?.()).toMatchObject({ concurrency: 1, queue: 3 });
    expect(() => limit.update({ name: "other" })).toThrow("a policy keeps its name");
  });
});
