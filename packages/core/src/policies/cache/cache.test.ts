import { describe, expect, it } from "vitest";

import { createTestClock, scriptedUpstream } from "../../../../testing/src/index.ts";
import {
  around,
  type BreakwaterEvent,
  bulkhead,
  cache,
  type CacheOptions,
  type CacheStore,
  createClient,
  createMemoryCacheStore,
  createPipeline,
  fallback,
  isPromise,
  type MaybePromise,
  type Policy,
  retry,
  timeout,
  upstream,
} from "../../index.ts";

type Answer = unknown;

/** The same answer, given in each of the three ways. */
const ways = {
  "a synchronous upstream": (make: (n: number) => Answer) => make,
  "an asynchronous upstream": (make: (n: number) => Answer) => async (n: number) => {
    await Promise.resolve();
    return make(n);
  },
  "a streamed upstream": (make: (n: number) => Answer) => (n: number) =>
    (async function* () {
      yield "first";
      yield make(n);
    })(),
};
const eachWay = Object.entries(ways).map(([way, wrap]) => ({ way, wrap }));

/** What an answer comes to, once a stream is read. */
async function whole(value: unknown): Promise<unknown> {
  if (typeof value !== "object" || value === null || !(Symbol.asyncIterator in value)) return value;
  const items: unknown[] = [];
  for await (const item of value as AsyncIterable<unknown>) items.push(item);
  return items.at(-1);
}

function setup(
  f: (n: number, request: string) => MaybePromise<Answer>,
  options: Partial<CacheOptions<string, Answer>> = {},
  ...inside: Policy[]
) {
  const clock = createTestClock();
  const seen = { calls: 0 };
  const policy = cache<string, Answer>({ ttl: "10s", ttlJitter: 0, key: (q) => q, shared: true, ...options });
  const ask = createClient<string, Answer>(
    { upstream: upstream((request: string) => f(++seen.calls, request)), runtime: clock },
    policy,
    ...inside,
  );
  const events: BreakwaterEvent[] = [];
  ask.on((event) => events.push(event));
  const get = async (request = "q", tenant?: string): Promise<unknown> =>
    whole(await ask(request, tenant === undefined ? {} : { tenant }));
  const told = <T extends BreakwaterEvent["type"]>(type: T) => events.filter((event) => event.type === type);
  return { clock, seen, ask, policy, events, get, told };
}

const error = (status: number): Error => Object.assign(new Error(`status ${status}`), { status });

describe.each(eachWay)("cache over $way", ({ wrap }) => {
  it("answers the same request once", async () => {
    const { get, seen, policy, clock, told } = setup(wrap((n) => n));
    expect(await get("a")).toBe(1);
    expect(await get("a")).toBe(1);
    expect(await get("b")).toBe(2);
    expect(seen.calls).toBe(2);
    expect(policy.snapshot()).toMatchObject({
      entries: 2,
      hits: 1,
      misses: 2,
      joins: 0,
      stale: 0,
      flights: 0,
    });
    expect(told("cache-read").map((event) => "result" in event && event.result)).toEqual([
      "miss",
      "hit",
      "miss",
    ]);
    expect(clock.pending).toBe(0);
  });

  it("says in meta where an answer comes from, and that a hit took no attempt", async () => {
    const { ask } = setup(wrap((n) => n));
    const first = await ask.full("a");
    await whole(first.value);
    expect(first.meta).toMatchObject({ cache: "miss", attempts: 1 });
    const second = await ask.full("a");
    await whole(second.value);
    expect(second.meta).toMatchObject({ cache: "hit", attempts: 0 });
    expect(second.meta.degraded).toBeUndefined();
  });

  it("forgets after its ttl", async () => {
    const { get, clock } = setup(wrap((n) => n));
    await get();
    await clock.advance(9_999);
    expect(await get()).toBe(1);
    await clock.advance(1);
    expect(await get()).toBe(2);
  });

  it("trap 68: falsy and undefined values are hits", async () => {
    for (const value of [undefined, null, 0, "", false, Number.NaN]) {
      const { get, seen } = setup(wrap(() => value));
      expect(await get()).toBe(value);
      expect(await get()).toBe(value);
      expect(seen.calls).toBe(1);
    }
  });

  it("trap 71: who changes an answer changes it for himself", async () => {
    const { ask, get } = setup(wrap((n) => ({ list: [n] })));
    const changed: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const value = (await get()) as { list: number[] };
      expect(value).toEqual({ list: [1] });
      value.list.push(99);
      changed.push(value);
    }
    expect(new Set(changed).size).toBe(3);
    // Those who share an attempt as well.
    const shared = await Promise.all([ask("x"), ask("x"), ask("x")].map(async (one) => whole(await one)));
    (shared[0] as { list: number[] }).list.push(99);
    expect(shared[1]).toEqual({ list: [2] });
    expect(shared[2]).toEqual({ list: [2] });
  });

  it("trap 71: an answer that was asked for before delete() is not kept after it", async () => {
    const { ask, get, policy } = setup(wrap((n) => n));
    const before = ask("q");
    await policy.delete("q");
    expect(await whole(await before)).toBe(1);
    expect(await get()).toBe(2);
    expect(await get()).toBe(2);
    const old = ask("third");
    await policy.delete("third");
    const fresh = ask("third");
    expect(await Promise.all([old, fresh].map(async (one) => whole(await one)))).toEqual([3, 4]);
    const again = ask("other");
    await policy.clear();
    await whole(await again);
    expect(policy.snapshot()).toMatchObject({ entries: 0, flights: 0 });
  });

  it("trap 70: tenants are kept apart, and no tenant and key pass for another pair", async () => {
    const { get } = setup(
      wrap((n) => n),
      { shared: false },
    );
    const pairs = [
      ["a", "b"],
      ["a", "c"],
      ["ab", ""],
      ["", "ab"],
      ["1:a", "|b"],
      ["1:a|", "b"],
      ["1", ":a|b"],
    ] as const;
    for (const [i, [tenant, request]] of pairs.entries()) expect(await get(request, tenant)).toBe(i + 1);
    for (const [i, [tenant, request]] of pairs.entries()) expect(await get(request, tenant)).toBe(i + 1);
  });

  it("trap 73: a call without a tenant is not cached, and that is said, once", async () => {
    const { get, seen, told, policy } = setup(
      wrap((n) => n),
      { shared: false },
    );
    await get();
    await get();
    expect(seen.calls).toBe(2);
    expect(told("hint")).toMatchObject([{ message: expect.stringContaining("without a tenant") }]);
    expect(policy.snapshot()).toMatchObject({ entries: 0, misses: 0 });
  });

  it("does not keep what is not plain data, and says so, once", async () => {
    class Money {
      readonly cents = 5;
    }
    const { get, seen, told } = setup(wrap(() => new Money()));
    expect(await get()).toBeInstanceOf(Money);
    expect(await get()).toBeInstanceOf(Money);
    expect(seen.calls).toBe(2);
    expect(told("hint")).toMatchObject([{ message: expect.stringMatching(/Money.*codec/) }]);
  });

  it("does not keep what is too large, and says so", async () => {
    const { get, seen, told } = setup(
      wrap((n) => `${n}`.repeat(600)),
      { maxEntryBytes: 1_000 },
    );
    await get();
    await get();
    expect(seen.calls).toBe(2);
    expect(told("hint")).toMatchObject([{ message: expect.stringContaining("maxEntryBytes") }]);
  });

  it("keeps what `storable` likes", async () => {
    const odd = (value: unknown): boolean =>
      ((Array.isArray(value) ? value.at(-1) : value) as number) % 2 === 1;
    const { get } = setup(
      wrap((n) => n),
      { storable: odd },
    );
    expect([await get("a"), await get("a"), await get("b"), await get("b")]).toEqual([1, 1, 2, 3]);
  });

  it("gives a stale answer at once, and fetches a new one behind it", async () => {
    const { get, ask, seen, clock, told } = setup(
      wrap((n) => n),
      { staleWhileRevalidate: "5s" },
    );
    await get();
    await clock.advance(11_000);
    const { value, meta } = await ask.full("q");
    expect(await whole(value)).toBe(1);
    expect(meta).toMatchObject({ cache: "stale", degraded: true, attempts: 0 });
    await clock.settle();
    expect(seen.calls).toBe(2);
    expect(await get()).toBe(2);
    expect(told("cache-refresh")).toMatchObject([{ ok: true }]);
    expect(meta.attempts).toBe(0); // what runs behind an answer does not write into its meta
    expect(ask.snapshot().inFlight).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("trap 72: a refresh that fails keeps the stale answer, and is not made again at once", async () => {
    const make = wrap((n) => {
      if (n > 1) throw error(503);
      return n;
    });
    const { get, seen, clock, told } = setup(make, { staleWhileRevalidate: "60s" });
    await get();
    await clock.advance(10_000);
    for (let i = 0; i < 50; i++) {
      expect(await get()).toBe(1);
      await clock.settle();
    }
    expect(seen.calls).toBe(2);
    expect(told("cache-refresh")).toMatchObject([{ ok: false }]);
    await clock.advance(10_000);
    expect(await get()).toBe(1);
    await clock.settle();
    expect(seen.calls).toBe(3);
  });

  it("gives a stale answer where there would be none, and only then", async () => {
    let fail: Error | undefined;
    const make = (n: number): number => {
      if (fail !== undefined) throw fail;
      return n;
    };
    const { ask, get, clock } = setup((n) => (fail === undefined ? wrap(make)(n) : Promise.reject(fail)), {
      staleIfError: "60s",
    });
    await get();
    await clock.advance(10_000);
    expect(await get()).toBe(2); // there is a new one
    await clock.advance(10_000);
    fail = error(503);
    const { value, meta } = await ask.full("q");
    expect(await whole(value)).toBe(2);
    expect(meta).toMatchObject({ cache: "stale", degraded: true, attempts: 1 });
    fail = error(400);
    await expect(ask("q")).rejects.toBe(fail);
    fail = error(503);
    await clock.advance(60_000);
    await expect(ask("q")).rejects.toBe(fail);
  });

  it("fetches ahead what is asked for late in its time, if it is told to", async () => {
    const { get, seen, clock } = setup(
      wrap((n) => n),
      { refreshAhead: 0.8 },
    );
    await get();
    await clock.advance(7_999);
    expect(await get()).toBe(1);
    await clock.settle();
    expect(seen.calls).toBe(1);
    await clock.advance(1);
    expect(await get()).toBe(1);
    await clock.settle();
    expect(seen.calls).toBe(2);
    await clock.advance(9_000);
    expect(await get()).toBe(2);
  });

  it("can be warmed, per tenant and request", async () => {
    const { ask, get, policy, seen } = setup(
      wrap((n) => n),
      { shared: false },
    );
    const value = { text: "warm" };
    expect(policy.warm("q", value, { tenant: "t" })).toBe(true);
    value.text = "cold";
    expect(await get("q", "t")).toEqual({ text: "warm" });
    expect(await get("q", "u")).toBe(1);
    expect(policy.warm("s", ["a", { b: 1 }], { tenant: "t", stream: true })).toBe(true);
    const items: unknown[] = [];
    for await (const item of (await ask("s", { tenant: "t" })) as AsyncIterable<unknown>) items.push(item);
    expect(items).toEqual(["a", { b: 1 }]);
    expect(seen.calls).toBe(1);
  });

  it("gives no stale answer that was deleted while a new one was asked for", async () => {
    let fail = false;
    const { ask, get, clock, policy } = setup(
      async (n) => {
        if (fail) throw error(503);
        return wrap(() => n)(n);
      },
      { staleIfError: "60s" },
    );
    await get();
    await clock.advance(10_000);
    fail = true;
    const asked = ask.outcome("q");
    await policy.delete("q");
    expect(await asked).toMatchObject({ status: "failed" });
  });

  it("in mode off is not there", async () => {
    const { get, policy } = setup(wrap((n) => n));
    await get();
    policy.update({ mode: "off" });
    expect(await get()).toBe(2);
    policy.update({ mode: "enforce" });
    expect(await get()).toBe(1);
  });
});

describe("cache", () => {
  it("is no promise on a hit: what is in memory costs no microtask", () => {
    const { ask } = setup((n) => n);
    const miss = ask.outcome("q");
    expect(isPromise(miss)).toBe(false);
    expect(ask.outcome("q")).toMatchObject({ status: "answered", value: 1, meta: { cache: "hit" } });
    const items = setup(ways["a streamed upstream"]((n) => n));
    expect(items.policy.warm("q", [1], { stream: true })).toBe(true);
    expect(isPromise(items.ask.outcome("q"))).toBe(false);
  });

  describe("trap 67: what is no answer is never kept", () => {
    const nothing: Record<string, (n: number) => MaybePromise<Answer>> = {
      "a rejection": (n) => (n === 1 ? Promise.reject(error(503)) : n),
      "a synchronous throw": (n) => {
        if (n === 1) throw error(503);
        return n;
      },
      "a mistake of the caller's": (n) => (n === 1 ? Promise.reject(error(400)) : n),
      "a stream that breaks": (n) =>
        (async function* () {
          yield n;
          if (n === 1) throw error(503);
        })(),
    };
    it.each(Object.entries(nothing))("%s", async (_, f) => {
      const { get, seen, policy } = setup(f);
      await expect(get()).rejects.toThrow(/status/);
      expect(policy.snapshot()).toMatchObject({ entries: 0, flights: 0 });
      expect(await get()).toBe(2);
      expect(seen.calls).toBe(2);
    });

    it("a refusal", async () => {
      const limit = bulkhead({ concurrency: 1 });
      const { ask, clock } = setup(
        (n) => new Promise((resolve) => clock.setTimer(10, () => resolve(n))),
        {},
        limit,
      );
      const first = ask.outcome("a");
      expect(await ask.outcome("b")).toMatchObject({ status: "refused" });
      await clock.until(first);
      expect(await clock.until(ask.outcome("b"))).toMatchObject({ status: "answered", value: 2 });
    });

    it("a cancelled call", async () => {
      const { ask, policy } = setup(() => new Promise(() => {}));
      const controller = new AbortController();
      const asked = ask.outcome("a", { signal: controller.signal });
      controller.abort("gone");
      expect(await asked).toMatchObject({ status: "cancelled", reason: "gone" });
      expect(policy.snapshot()).toMatchObject({ entries: 0, flights: 0 });
    });

    it("what a fallback inside made up", async () => {
      const { get, clock } = setup(
        (n) => (n === 1 ? Promise.reject(error(503)) : n),
        {},
        fallback({ value: () => "sorry" }),
      );
      expect(await get()).toBe("sorry");
      expect(await clock.until(get())).toBe(2);
    });

    it("what was continued after it broke off", async () => {
      const continues = around("continues", {
        name: "continues",
        run(call, next) {
          call.meta.resumed = 1;
          return next(call.fork());
        },
      });
      const { get } = setup((n) => n, {}, continues);
      expect([await get(), await get()]).toEqual([1, 2]);
    });
  });

  it("trap 67: a stream whose reader leaves is ended and not kept", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, AsyncIterable<number>>();
    const policy = cache<string, AsyncIterable<number>>({ ttl: "10s", key: (q) => q, shared: true });
    const ask = createClient({ upstream: script.upstream, runtime: clock }, policy);
    const asked = ask("q");
    const source = (await script.next()).stream(1);
    for await (const item of await asked) {
      expect(item).toBe(1);
      break;
    }
    await clock.settle();
    expect(source.stopped).toBe(true);
    expect(policy.snapshot()).toMatchObject({ entries: 0, flights: 0 });
    expect(ask.snapshot().inFlight).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("gives stale answers when an inner policy refuses", async () => {
    const limit = bulkhead({ concurrency: 1 });
    let hang = false;
    const { ask, get, clock } = setup(
      (n) => (hang ? new Promise(() => {}) : n),
      { staleIfError: "1m" },
      limit,
    );
    await get();
    await clock.advance(10_000);
    hang = true;
    void ask.outcome("other");
    expect(await ask.outcome("q")).toMatchObject({
      status: "answered",
      value: 1,
      meta: { cache: "stale", degraded: true, attempts: 0 },
    });
  });

  it("shortens each ttl by chance, so that what came together does not go together", async () => {
    const { get, clock } = setup((n) => n, { ttlJitter: 0.5 });
    clock.setRandom(0.8);
    await get("a");
    clock.setRandom(0);
    await get("b");
    await clock.advance(6_000);
    expect(await get("b")).toBe(2);
    expect(await get("a")).toBe(3);
  });

  it("holds no more bytes than its bound, also when the bound is lowered", async () => {
    const { get, policy } = setup((n) => `${n}`.repeat(1_000), { maxBytes: 50_000 });
    for (let i = 0; i < 100; i++) await get(`${i}`);
    expect(policy.snapshot().bytes).toBeLessThanOrEqual(50_000);
    expect(policy.snapshot().entries).toBeGreaterThan(10);
    policy.update({ maxBytes: 10_000 });
    expect(policy.snapshot().bytes).toBeLessThanOrEqual(10_000);
  });

  describe("trap 73: is never silently inert", () => {
    it("refuses an upstream that cannot tell requests apart", () => {
      const ask = upstream((q: string) => q);
      expect(() => createClient(ask, cache({ ttl: "1s", shared: true }))).toThrow(/Give key/);
      expect(() => createPipeline(cache({ ttl: "1s", shared: true }))).toThrow(/Give key/);
      expect(() => createPipeline(cache({ ttl: "1s", key: () => "k" }))).not.toThrow();
    });

    it("takes the upstream's own key, and passes on what that calls unfit", async () => {
      let calls = 0;
      const up = upstream(async (_: string) => ++calls, {
        key: (request) => (request.startsWith("no") ? undefined : request.toLowerCase()),
      });
      const ask = createClient(up, cache({ ttl: "1s", shared: true }));
      expect([await ask("A"), await ask("a"), await ask("no"), await ask("no")]).toEqual([1, 1, 2, 3]);
    });

    it("refuses a key that is none", async () => {
      const { ask } = setup((n) => n, { key: (() => ({ q: 1 })) as never });
      await expect(ask("q")).rejects.toThrow(/key\(\) must return a string/);
    });

    it.each<[Partial<CacheOptions>, RegExp]>([
      [{ ttl: undefined as never }, /ttl is required/],
      [{ ttl: Number.NaN }, /NaN/],
      [{ ttlJitter: 2 }, /ttlJitter/],
      [{ refreshAhead: 2 }, /refreshAhead/],
      [{ maxBytes: 0 }, /maxBytes/],
      [{ store: {} as never }, /store must be/],
      [{ store: createMemoryCacheStore(), maxBytes: 5 }, /store that you made/],
      [{ shared: true, tenant: () => "t" }, /leave out tenant/],
      [{ tll: 5 } as never, /unknown option "tll"/],
    ])("refuses %j", (options, message) => {
      expect(() => cache({ ttl: "1s", ...options })).toThrow(message);
    });

    it("warm() and delete() say what they miss", () => {
      const policy = cache<string, string>({ ttl: "1s", key: (q) => q });
      expect(() => policy.warm("q", "a", { tenant: "t" })).toThrow(/needs a client/);
      createClient(
        upstream((q: string) => q),
        policy,
      );
      expect(() => policy.warm("q", "a")).toThrow(/whose answer/);
      expect(() => policy.delete("q")).toThrow(/whose answer/);
      expect(() => policy.warm("q", "a", { tenant: "t", stream: true })).toThrow(/list of its items/);
    });
  });

  it("describes itself in options that are valid again", () => {
    const policy = cache({ ttl: "10m", staleIfError: "1d", shared: true, key: () => "k" });
    expect(policy.describe?.()).toMatchObject({
      ttl: 600_000,
      staleIfError: 86_400_000,
      maxBytes: 67_108_864,
    });
    expect(() => cache(policy.describe?.() as unknown as CacheOptions)).not.toThrow();
    const stored = cache({ ttl: 1, store: createMemoryCacheStore() });
    expect(() => cache(stored.describe?.() as unknown as CacheOptions)).not.toThrow();
  });

  it("says what it does not do to who listens later, too", async () => {
    const policy = cache<string, number>({ ttl: "1m", key: (q) => q });
    const ask = createClient(
      upstream((_: string) => 1),
      policy,
    );
    await ask("q");
    const hints: BreakwaterEvent[] = [];
    ask.on((event) => event.type === "hint" && hints.push(event));
    await ask("q");
    expect(hints).toHaveLength(1);
  });

  it("lets go of what a refresh brings and nobody can use", async () => {
    const bodies: Response[] = [];
    const { get, clock, policy, told } = setup(
      () => {
        bodies.push(new Response("body"));
        return bodies.at(-1);
      },
      { staleWhileRevalidate: "1m" },
    );
    expect(policy.warm("q", 1)).toBe(true);
    await clock.advance(11_000);
    expect(await get()).toBe(1);
    await clock.settle();
    expect(bodies).toHaveLength(1);
    await expect(bodies[0]?.body?.getReader().read()).resolves.toMatchObject({ done: true });
    expect(told("cache-refresh")).toMatchObject([{ ok: false }]);
  });

  it("gives no stale answer to who was told otherwise by a clock outside", async () => {
    const clock = createTestClock();
    const policy = cache<string, unknown>({ ttl: "1s", key: (q) => q, shared: true, staleIfError: "1h" });
    const ask = createClient<string, unknown>(
      { upstream: upstream((_: string) => new Promise(() => {})), runtime: clock },
      timeout({ total: "5s" }),
      policy,
    );
    const events: BreakwaterEvent[] = [];
    ask.on((event) => events.push(event));
    expect(policy.warm("q", 1)).toBe(true);
    await clock.advance(2_000);
    const asked = ask.outcome("q");
    await clock.advance(5_000);
    expect(await asked).toMatchObject({ status: "failed", error: { clock: "total" } });
    expect(policy.snapshot().stale).toBe(0);
  });

  it("asks `tenant` whose an answer is", async () => {
    const { get } = setup((n) => n, { shared: false, tenant: (request) => request.split(":")[0] });
    expect([await get("a:1"), await get("a:1"), await get("b:1")]).toEqual([1, 1, 2]);
  });

  it("shows no prompt and no answer in events, snapshots and descriptions", async () => {
    const { get, ask, clock, events, policy } = setup((n) => ({ secret: `answer ${n}` }), {
      staleWhileRevalidate: "1m",
    });
    await get("secret prompt");
    await clock.advance(11_000);
    await get("secret prompt");
    await clock.settle();
    const shown = JSON.stringify([events, ask.snapshot(), ask.describe(), policy.snapshot()]);
    expect(shown).toContain("cache-refresh");
    expect(shown).not.toMatch(/secret|answer 1/);
  });

  it("works in a pipeline, where a key says which function", async () => {
    let calls = 0;
    const cached = createPipeline(
      cache({ ttl: "1m", shared: true, key: (input: unknown) => JSON.stringify(input) }),
    );
    const add = cached.wrap((a: number, b: number) => {
      calls++;
      return a + b;
    });
    expect([await add(1, 2), await add(1, 2), await add(2, 2)]).toEqual([3, 3, 4]);
    expect(calls).toBe(2);
  });

  it("copies and measures with the upstream's codec, items of a stream one by one", async () => {
    const copied: unknown[] = [];
    const up = upstream(
      (q: string): unknown => (q === "stream" ? ways["a streamed upstream"](() => "last")(1) : { q }),
      {
        key: (q) => q,
        codec: {
          copy: (value) => (copied.push(value), structuredClone(value)),
          size: () => 1_000,
          storable: (value) => (Array.isArray(value) ? value.length === 2 : true),
        },
      },
    );
    const policy = cache({ ttl: "1m", shared: true });
    const ask = createClient(up, policy);
    expect(await ask("a")).toEqual({ q: "a" });
    expect(copied).toEqual([{ q: "a" }]);
    expect(policy.snapshot().bytes).toBe(1_000 + 200 + 2 * "|a".length);
    expect(await whole(await ask("stream"))).toBe("last");
    expect(copied.slice(1).map(String).toSorted()).toEqual(["first", "first", "last", "last"]);
    expect(await whole(await ask("stream"))).toBe("last");
  });

  describe("over a store that answers later", () => {
    function slow(store = createMemoryCacheStore()): CacheStore & { fail?: Error } {
      const later = async <T>(f: () => T): Promise<T> => {
        await Promise.resolve();
        if (slowly.fail !== undefined) throw slowly.fail;
        return f();
      };
      const slowly: CacheStore & { fail?: Error } = {
        get: (ask) => later(() => store.get(ask)),
        set: (ask, entry, keepMs) => later(() => store.set(ask, entry, keepMs)),
        delete: (ask) => later(() => store.delete(ask)),
        clear: (name) => later(() => store.clear(name)),
      };
      return slowly;
    }

    it.each(eachWay)("caches $way (trap 68)", async ({ wrap }) => {
      const { get, seen, policy } = setup(
        wrap(() => undefined),
        { store: slow() },
      );
      await get();
      expect(await get()).toBeUndefined();
      expect(seen.calls).toBe(1);
      expect(await policy.warm("other", 7)).toBe(true);
      expect(await get("other")).toBe(7);
      await policy.delete("other");
      await policy.clear();
      await get();
      expect(seen.calls).toBe(2);
    });

    it("shares an attempt between those who look at the same time", async () => {
      const { get, seen } = setup(async (n) => n, { store: slow() });
      expect(await Promise.all([get(), get(), get()])).toEqual([1, 1, 1]);
      expect(seen.calls).toBe(1);
    });

    it("goes on without a store that fails, and says so", async () => {
      const store = slow();
      store.fail = new Error("store down");
      const { get, told, policy } = setup((n) => n, { store });
      expect([await get(), await get()]).toEqual([1, 2]);
      expect(told("store-fail")).toMatchObject(
        [1, 2, 3, 4].map(() => ({ policy: "cache", error: store.fail })),
      );
      expect(await policy.warm("q", 1)).toBe(false);
      const throwing = {
        ...store,
        get: () => {
          throw new Error("now");
        },
        set: () => {
          throw new Error("now");
        },
      } as CacheStore;
      const other = setup((n) => n, { store: throwing });
      expect([await other.get(), await other.get()]).toEqual([1, 2]);
    });

    it("asks nobody for a call that was aborted while it looked", async () => {
      const { ask, seen, clock } = setup((n) => n, { store: slow() });
      const controller = new AbortController();
      const asked = ask.outcome("q", { signal: controller.signal });
      controller.abort();
      expect(await asked).toMatchObject({ status: "cancelled" });
      await clock.settle();
      expect(seen.calls).toBe(0);
    });
  });

  it("types its callbacks from the upstream", async () => {
    const ask = createClient(
      upstream((request: { readonly id: number }) => `${request.id}`),
      cache({ ttl: "1m", shared: true, key: ({ id }) => `${id}`, storable: (value) => value.length > 0 }),
    );
    expect(await ask({ id: 1 })).toBe("1");
    const streaming = createClient(
      upstream(async function* (n: number) {
        yield* [n];
      }),
      cache({
        ttl: "1m",
        shared: true,
        key: (n) => n.toFixed(),
        storable: (items) => items[0]?.toFixed() === "1",
      }),
    );
    for await (const item of await streaming(1)) expect(item.toFixed()).toBe("1");
    const anywhere = cache({ ttl: "1m", shared: true, key: (request) => String(request) });
    createClient(
      upstream((n: number) => n),
      anywhere,
    );
    createClient(
      upstream((s: string) => s),
      anywhere,
    );
  });

  it("keeps the answer of a client inside, and tells that it had it from a cache of its own", async () => {
    const { ask: inner, seen } = setup((n) => n);
    await inner("q");
    const outer = createClient<string, Answer>(
      inner.upstream,
      cache({ name: "outer", ttl: "1m", key: (q: string) => q, shared: true }),
      retry(),
      timeout({ total: "1s" }),
    );
    expect(await outer.full("q")).toMatchObject({ value: 1, meta: { cache: "hit", attempts: 0 } });
    expect(await outer.full("q")).toMatchObject({ value: 1, meta: { cache: "hit", attempts: 0 } });
    expect(seen.calls).toBe(1);
  });
});
