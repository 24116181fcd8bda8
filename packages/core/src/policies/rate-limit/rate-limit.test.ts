import { describe, expect, it } from "vitest";

import {
  createTestClock,
  finish,
  forEachKind,
  scriptedUpstream,
  type TestClock,
} from "../../../../testing/src/index.ts";
import {
  bulkhead,
  cache,
  ConfigError,
  createClient,
  createMemoryRateLimitStore,
  createPipeline,
  type MaybePromise,
  type Outcome,
  type Pipeline,
  rateLimit,
  type RateLimitAsk,
  type RateLimitOptions,
  type RateLimitReply,
  type RateLimitStore,
  RefusedError,
  retry,
  StoreError,
  timeout,
  upstream as upstreamOf,
  type Usage,
} from "../../index.ts";

const perSecond = (limit: number) => ({ requests: { limit, per: "1s" } }) as const;
const tokens = (limit: number) => ({ tokens: { limit, per: "1m" } }) as const;

function limited(
  options: RateLimitOptions,
  clock: TestClock = createTestClock(),
): Pipeline & { clock: TestClock } {
  return Object.assign(createPipeline({ runtime: clock }, rateLimit(options)), { clock });
}

/** Starts calls and writes down how they end, and when. */
function logbook(clock: TestClock) {
  const log: string[] = [];
  return {
    log,
    note(name: string, asked: MaybePromise<Outcome<unknown>>): void {
      void Promise.resolve(asked).then((outcome) => log.push(`${name} ${outcome.status} at ${clock.now()}`));
    },
    take: (): string[] => log.splice(0),
  };
}

interface Shown {
  readonly remaining: Record<string, { requests?: number; tokens?: number }>;
}

/** What is left, as the policy shows it. */
function left(
  managed: Pick<Pipeline, "snapshot">,
  key = "",
): { requests?: number; tokens?: number } | undefined {
  const state = managed.snapshot().policies[0]?.state as Shown | undefined;
  return state?.remaining[key];
}

/** A store that answers when the test says so. */
function slowStore() {
  const store = createMemoryRateLimitStore();
  const waiting: (() => void)[] = [];
  const slow: RateLimitStore = {
    ...store,
    decide: (ask) =>
      new Promise((resolve, reject) =>
        waiting.push(() => void Promise.resolve(store.decide(ask)).then(resolve, reject)),
      ),
    settle: async (...given) => store.settle(...given),
  };
  delete slow.decideAll;
  return { slow, store, reply: () => waiting.shift()?.(), asked: () => waiting.length };
}

describe("a rate limit", () => {
  it("lets pass what it may and says exactly when to come again", async () => {
    const { outcome, clock } = limited({ name: "account", limits: perSecond(3) });
    for (let i = 0; i < 3; i++) expect(outcome(() => 1)).toMatchObject({ status: "answered" });
    expect(outcome(() => 1)).toMatchObject({
      status: "refused",
      refusal: {
        by: "account",
        code: "RATE_LIMITED",
        retryAfterMs: 334,
        limit: 3,
        remaining: 0,
        resetMs: 1_000,
      },
      meta: { attempts: 0 },
    });
    await clock.advance(333);
    expect(outcome(() => 1)).toMatchObject({ status: "refused", refusal: { retryAfterMs: 1 } });
    await clock.advance(1);
    expect(outcome(() => 1)).toMatchObject({ status: "answered" });
  });

  it("keeps keys apart, and those without a key together", async () => {
    const { outcome } = limited({ limits: perSecond(1), key: (_, call) => call.tenant });
    const status = async (tenant?: string): Promise<string> => (await outcome(() => 1, { tenant })).status;
    expect([await status("a"), await status("b"), await status(), await status("a"), await status()]).toEqual(
      ["answered", "answered", "answered", "refused", "refused"],
    );
  });

  it("takes its limits from a function of the call", async () => {
    const plans: Record<string, { requests: { limit: number; per: "1s" } }> = {
      small: { requests: { limit: 1, per: "1s" } },
      large: { requests: { limit: 3, per: "1s" } },
    };
    const { outcome } = limited({
      key: (_, call) => call.tenant,
      limits: (call) => plans[call.tenant ?? ""] as (typeof plans)[string],
    });
    const passed = async (tenant: string): Promise<number> => {
      const outcomes = await Promise.all(Array.from({ length: 5 }, async () => outcome(() => 1, { tenant })));
      return outcomes.filter(({ status }) => status === "answered").length;
    };
    expect([await passed("small"), await passed("large")]).toEqual([1, 3]);
    // Nobody has that plan: the mistake is the caller's, says what was given, and is not retried.
    expect(await outcome(() => 1, { tenant: "nobody" })).toMatchObject({
      status: "failed",
      fault: "caller",
      retryable: false,
      error: {
        message: expect.stringMatching(/^rate-limit: limits\(\): .*requests or tokens is required/) as string,
      },
    });
  });

  it("only tells in shadow, and does nothing when it is off", async () => {
    for (const mode of ["shadow", "off"] as const) {
      const pipeline = limited({ mode, limits: perSecond(1), wait: "5s" });
      const codes: string[] = [];
      pipeline.on((event) => event.type === "would-refuse" && codes.push(event.refusal.code));
      for (let i = 0; i < 3; i++) expect(pipeline.outcome(() => 1)).toMatchObject({ status: "answered" });
      expect(codes).toEqual(mode === "shadow" ? ["WOULD_WAIT", "WOULD_WAIT"] : []);
    }
  });

  it("describes itself in options that make the same limit again", () => {
    const given = { name: "tenant", limits: tokens(100), wait: "2s", queue: 5 } as const;
    const options = rateLimit(given).describe?.() as unknown as RateLimitOptions;
    expect(options).toMatchObject({
      name: "tenant",
      mode: "enforce",
      limits: tokens(100),
      wait: 2_000,
      queue: 5,
    });
    expect(rateLimit(options).describe?.()).toEqual(options);
    const store = createMemoryRateLimitStore();
    expect(rateLimit({ limits: tokens(1), store }).describe?.()).not.toHaveProperty("maxKeys");
  });

  it("shows what is left, for the keys that were used last", async () => {
    const pipeline = limited({ limits: { ...perSecond(5), ...tokens(100) }, key: (input) => String(input) });
    for (let i = 0; i < 150; i++) await pipeline.outcome(() => 1, { input: i, cost: { totalTokens: 30 } });
    const state = pipeline.snapshot().policies[0]?.state as Shown;
    expect(Object.keys(state.remaining)).toHaveLength(100);
    expect(state.remaining["149"]).toEqual({ requests: 4, tokens: 70 });
    expect(structuredClone(state)).toEqual(state);
  });

  it("says what is wrong with its options, and what to write instead", () => {
    const message = (options: unknown): string => {
      try {
        rateLimit(options as RateLimitOptions);
      } catch (error) {
        expect(ConfigError.isInstance(error)).toBe(true);
        return (error as Error).message;
      }
      return "fine";
    };
    const limits = perSecond(1);
    expect(message({})).toMatch(/limits is required, for example/);
    expect(message({ limits: {} })).toMatch(/requests or tokens is required/);
    expect(message({ limits: { request: { limit: 1, per: 1 } } })).toMatch(/unknown option "request"/);
    expect(message({ limits: { requests: { limit: 0, per: 1 } } })).toMatch(
      /limits\.requests: limit must be a whole number of at least 1, got 0/,
    );
    expect(message({ limits: { requests: { limit: Number.NaN, per: 1 } } })).toMatch(/environment variable/);
    expect(message({ limits: { tokens: { limit: 1 } } })).toMatch(/per is required/);
    expect(message({ limits: { tokens: { limit: 1, per: 0 } } })).toMatch(/per must be longer than 0/);
    expect(message({ limits: { tokens: { limit: 1, per: 1, burst: 2, algorithm: "window" } } })).toMatch(
      /a window has no burst/,
    );
    expect(message({ limits, wait: "soon" })).toMatch(/wait must be milliseconds/);
    expect(message({ limits, cost: 5 })).toMatch(/cost must be a function/);
    expect(message({ limits, store: createMemoryRateLimitStore(), maxKeys: 5 })).toMatch(
      /say it to the store/,
    );
    expect(message({ limits, cheese: 1 })).toMatch(/unknown option "cheese"/);
    expect(() => rateLimit({ limits }).update({ maxKeys: 5 })).toThrow(/keeps its store/);
  });

  it("takes a cost that is none for a mistake of the caller's", async () => {
    for (const cost of [() => Number.NaN, () => -1, () => ({ totalTokens: Number.POSITIVE_INFINITY })]) {
      expect(await limited({ limits: tokens(10), cost }).outcome(() => 1)).toMatchObject({
        status: "failed",
        fault: "caller",
        error: { message: expect.stringContaining("cost of a call must be a number of tokens") as string },
      });
    }
  });
});

describe("tokens", () => {
  const usage = (totalTokens: number): Usage => ({ totalTokens });

  forEachKind(({ kind, upstream }) => {
    const settle = async (
      after: (call: { usage: Usage | undefined }) => unknown,
      options: Partial<RateLimitOptions> = {},
    ): Promise<number | undefined> => {
      const clock = createTestClock();
      const client = createClient(
        {
          upstream: upstream((_: string, { call }) => after(call)),
          runtime: clock,
        },
        rateLimit({ limits: tokens(100), cost: () => 40, ...options }),
      );
      await finish(client.outcome("q"));
      return left(client)?.tokens;
    };

    it(`are reserved, and settled by what was used (answered ${kind})`, async () => {
      expect(await settle(() => "no usage told")).toBe(60);
      expect(await settle((call) => (call.usage = usage(10)))).toBe(90);
      expect(await settle((call) => (call.usage = { promptTokens: 30, completionTokens: 25 }))).toBe(45);
      expect(await settle((call) => (call.usage = usage(150)))).toBe(-50);
      expect(await settle((call) => (call.usage = usage(7)), { cost: () => ({ promptTokens: 5 }) })).toBe(93);
    });

    it(`are given back when inference never began, and kept when it may have (answered ${kind})`, async () => {
      const fail = (error: object) => (): never => {
        throw Object.assign(new Error("no"), error);
      };
      expect(await settle(fail({ status: 429 })), "turned away").toBe(100);
      expect(await settle(fail({ status: 500 })), "nobody knows").toBe(60);
      expect(await settle(fail({})), "nobody knows").toBe(60);
      expect(
        await settle((call) => {
          call.usage = usage(25);
          return fail({ status: 429 })();
        }),
        "usage was told all the same",
      ).toBe(75);
    });
  });

  it("costs are what the option says, else the call, else the upstream, else nothing", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, string>({ cost: (request) => ({ totalTokens: request.length }) });
    const ask = (cost?: RateLimitOptions<string>["cost"]) =>
      createClient(
        { upstream: script.upstream, runtime: clock },
        rateLimit({ limits: tokens(100), ...(cost && { cost }) }),
      );
    const all = ask(() => 50);
    void all.outcome("12345", { cost: { totalTokens: 20 } });
    expect(left(all)?.tokens).toBe(50);
    const fromCall = ask();
    void fromCall.outcome("12345", { cost: { totalTokens: 20 } });
    expect(left(fromCall)?.tokens).toBe(80);
    const fromUpstream = ask();
    void fromUpstream.outcome("12345");
    expect(left(fromUpstream)?.tokens).toBe(95);
    const unknown = limited({ limits: tokens(100) });
    void unknown.outcome(() => new Promise(() => {}));
    expect(left(unknown)?.tokens).toBe(100);
    const outer = createClient({ upstream: fromUpstream, runtime: clock });
    void outer.outcome("12345", { cost: { totalTokens: 30 } });
    expect(left(fromUpstream)?.tokens, "what is said to a client around counts inside").toBe(65);
  });

  it("are settled by the latest attempt inside; what was told outweighs an estimate", async () => {
    const clock = createTestClock();
    const told = { totalTokens: 30 };
    const guessed = { totalTokens: 7, estimated: true };
    const after = async (...usages: readonly (Usage | undefined)[]): Promise<number | undefined> => {
      let attempt = 0;
      const fails = upstreamOf((_: string, { call }): string => {
        call.usage = usages[attempt++];
        throw new Error("reset");
      });
      const client = createClient(
        { upstream: fails, runtime: clock },
        rateLimit({ limits: tokens(100), cost: () => 40 }),
        retry({ attempts: usages.length, baseDelay: 0 }),
      );
      await clock.until(client.outcome("q"));
      expect(attempt).toBe(usages.length);
      return left(client)?.tokens;
    };
    expect(await after(undefined, undefined)).toBe(60);
    expect(await after(guessed)).toBe(93);
    expect(await after(guessed, { totalTokens: 9, estimated: true })).toBe(91);
    expect(await after(guessed, told)).toBe(70);
    expect(await after(told, { totalTokens: 20 })).toBe(80);
    expect(await after(told, guessed)).toBe(70);
  });

  it("come back when a guard further in refuses, a caller leaves before dispatch, or a cache answers; so does the request", async () => {
    const clock = createTestClock();
    const options = { limits: { ...perSecond(10), ...tokens(100) }, cost: () => 40 };
    const refused = createPipeline({ runtime: clock }, rateLimit(options), bulkhead({ concurrency: 1 }));
    const busy = new AbortController();
    const first = refused.outcome(
      ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", reject)),
      {
        signal: busy.signal,
      },
    );
    expect(await refused.outcome(() => 1)).toMatchObject({
      status: "refused",
      refusal: { code: "BULKHEAD_FULL" },
    });
    expect(left(refused)).toEqual({ requests: 9, tokens: 60 });
    busy.abort();
    await first;
    expect(left(refused), "it was sent, and may have cost what was reserved").toEqual({
      requests: 9,
      tokens: 60,
    });

    const queued = createPipeline(
      { runtime: clock },
      rateLimit(options),
      bulkhead({ concurrency: 1, queue: 1 }),
    );
    void queued.outcome(() => new Promise(() => {}));
    const leaving = new AbortController();
    const waits = queued.outcome(() => 1, { signal: leaving.signal });
    expect(left(queued)).toEqual({ requests: 8, tokens: 20 });
    leaving.abort("gone");
    expect(await waits).toMatchObject({ status: "cancelled", reason: "gone" });
    expect(left(queued)).toEqual({ requests: 9, tokens: 60 });

    const cached = createClient(
      { upstream: upstreamOf((q: string) => q, { key: (q) => q }), runtime: clock },
      rateLimit(options),
      cache({ ttl: "1m", shared: true }),
    );
    for (let i = 0; i < 5; i++) await cached("same");
    expect(left(cached)).toEqual({ requests: 9, tokens: 60 });
  });

  it("come back when the upstream knows that nothing was spent, and when a later attempt is refused further in", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, string>();
    const options = { limits: { ...perSecond(10), ...tokens(100) }, cost: () => 40 };
    const known = createClient({ upstream: script.upstream, runtime: clock }, rateLimit(options));
    for (const [spent, tokensLeft] of [
      [false, 100],
      [true, 60],
    ] as const) {
      const asked = known.outcome("q");
      (await script.next()).fail(new Error("reset"), { fault: spent ? "overload" : "upstream", spent });
      await asked;
      expect(left(known)?.tokens).toBe(tokensLeft);
    }

    const again = createClient(
      { upstream: script.upstream, runtime: clock },
      rateLimit(options),
      retry({ baseDelay: 0 }),
      rateLimit({ name: "inner", limits: perSecond(1) }),
    );
    const asked = again.outcome("q");
    (await script.next()).fail(new Error("busy"));
    expect(await asked).toMatchObject({ status: "refused", refusal: { by: "inner" } });
    expect(left(again), "it was sent once").toEqual({ requests: 9, tokens: 100 });
  });

  it("of a call with several attempts inside are settled by the answer's usage", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, string>();
    const ask = createClient(
      { upstream: script.upstream, runtime: clock },
      rateLimit({ limits: tokens(100), cost: () => 40 }),
      retry({ baseDelay: 0 }),
    );
    const asked = ask("q");
    (await script.next()).fail(new Error("busy"));
    const second = await script.next();
    second.call.usage = second.call.meta.usage = usage(15);
    second.answer("a");
    await asked;
    expect(left(ask)?.tokens).toBe(85);
  });

  it("more than the bucket holds pass when it is full, and later calls wait for what is owed", async () => {
    const { outcome, clock } = limited({ limits: tokens(60), cost: (input) => Number(input) });
    const pass = (input: number): MaybePromise<Outcome<number>> => outcome(() => 1, { input });
    expect(pass(90)).toMatchObject({ status: "answered" });
    expect(pass(1)).toMatchObject({ status: "refused", refusal: { retryAfterMs: 31_000, remaining: 0 } });
    await clock.advance(31_000);
    expect(pass(1)).toMatchObject({ status: "answered" });
    expect(pass(90)).toMatchObject({ status: "refused", refusal: { retryAfterMs: 60_000 } });
  });
});

describe("who waits", () => {
  it("is served in order, before whoever comes later; who would wait too long is refused at once", async () => {
    const { outcome, clock } = limited({ limits: { requests: { limit: 1, per: 100 } }, wait: 300 });
    const { note, take } = logbook(clock);
    for (const name of ["a", "b", "c", "d", "e"])
      note(
        name,
        outcome(() => 1),
      );
    await clock.settle();
    expect(take()).toEqual(["a answered at 0", "e refused at 0"]);
    await clock.advance(100);
    note(
      "f",
      outcome(() => 1),
    );
    await clock.advance(300);
    expect(take()).toEqual([
      "b answered at 100",
      "c answered at 200",
      "d answered at 300",
      "f answered at 400",
    ]);
    expect(clock.pending).toBe(0);
  });

  it("is told how long he waited, and that he did", async () => {
    const pipeline = limited({ name: "account", limits: { requests: { limit: 1, per: 100 } }, wait: 300 });
    const waits: unknown[] = [];
    pipeline.on((event) => event.type === "queue-wait" && waits.push([event.policy, event.ms]));
    await pipeline.outcome(() => 1);
    const waited = await pipeline.clock.until(pipeline.outcome(() => 1));
    expect(waited).toMatchObject({ status: "answered", meta: { waitedMs: 100 } });
    expect(waits).toEqual([["account", 100]]);
  });

  it("leaves at once when he is aborted, and the next one moves up to his time", async () => {
    const { outcome, clock, snapshot } = limited({
      limits: { requests: { limit: 1, per: 100 } },
      wait: "1s",
    });
    const { note, take } = logbook(clock);
    const leaving = new AbortController();
    note(
      "a",
      outcome(() => 1),
    );
    note(
      "b",
      outcome(() => 1, { signal: leaving.signal }),
    );
    note(
      "c",
      outcome(() => 1),
    );
    await clock.advance(50);
    leaving.abort();
    await clock.settle();
    expect(take()).toEqual(["a answered at 0", "b cancelled at 50"]);
    expect(snapshot().policies[0]?.state).toMatchObject({ queued: { "": 1 } });
    await clock.advance(50);
    expect(take()).toEqual(["c answered at 100"]);
    expect(clock.pending).toBe(0);
  });

  it("is refused now, with the time to come again, when the wait does not fit into his deadline", async () => {
    const { outcome, clock } = limited({ limits: { requests: { limit: 1, per: 100 } }, wait: "1s" });
    const { note, take } = logbook(clock);
    note(
      "a",
      outcome(() => 1),
    );
    expect(outcome(() => 1, { deadline: 100 })).toMatchObject({
      status: "refused",
      refusal: { retryAfterMs: 100 },
    });
    note(
      "b",
      outcome(() => 1, { deadline: 101 }),
    );
    expect(outcome(() => 1, { deadline: 200 })).toMatchObject({
      status: "refused",
      refusal: { retryAfterMs: 200 },
    });
    note(
      "c",
      outcome(() => 1, { deadline: 201 }),
    );
    await clock.advance(200);
    expect(take()).toEqual(["a answered at 0", "b answered at 100", "c answered at 200"]);
  });

  it("makes room for the next one when he goes, not when his answer is over", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, AsyncIterable<string>>();
    const ask = createClient(
      { upstream: script.upstream, runtime: clock },
      rateLimit({ limits: { requests: { limit: 1, per: 100 } }, wait: "1s" }),
    );
    for (const name of ["a", "b", "c", "d"]) void ask(name);
    await clock.advance(0);
    const started: number[] = [];
    for (let i = 0; i < 3; i++) {
      (await script.next()).stream("of tokens without end");
      started.push(clock.now());
      await clock.advance(100);
    }
    expect(started).toEqual([0, 100, 200]);
    expect(script.calls).toBe(4);
  });

  it("stands no longer behind those who have left", async () => {
    const { outcome, clock } = limited({ limits: tokens(60), wait: "70s", cost: (input) => Number(input) });
    const leaving = new AbortController();
    await outcome(() => 1, { input: 60 });
    const waits = [
      outcome(() => "a", { input: 10 }),
      outcome(() => "b", { input: 50, signal: leaving.signal }),
    ];
    expect(outcome(() => 1, { input: 20 })).toMatchObject({
      status: "refused",
      refusal: { retryAfterMs: 80_000 },
    });
    leaving.abort();
    const last = outcome(() => 1, { input: 20 });
    await clock.advance(30_000);
    expect((await Promise.all(waits.map(async (each) => each))).map(({ status }) => status)).toEqual([
      "answered",
      "cancelled",
    ]);
    expect(await last).toMatchObject({ status: "answered", meta: { waitedMs: 30_000 } });
  });

  it("is bounded in number", async () => {
    const { outcome, clock } = limited({ limits: tokens(60), wait: "1h", queue: 2, cost: () => 60 });
    const { note, take } = logbook(clock);
    for (const name of ["a", "b", "c", "d"])
      note(
        name,
        outcome(() => 1),
      );
    await clock.settle();
    expect(take()).toEqual(["a answered at 0", "d refused at 0"]);
  });

  it("does not wait for others with another key", async () => {
    const { outcome, clock } = limited({
      limits: { requests: { limit: 1, per: 100 } },
      wait: "1s",
      key: (input) => String(input),
    });
    const { note, take } = logbook(clock);
    for (const [name, input] of [
      ["a", "x"],
      ["b", "x"],
      ["c", "y"],
    ] as const)
      note(
        name,
        outcome(() => 1, { input }),
      );
    await clock.settle();
    expect(take()).toEqual(["a answered at 0", "c answered at 0"]);
  });

  it("goes earlier when tokens come back", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, string>();
    const ask = createClient(
      { upstream: script.upstream, runtime: clock },
      rateLimit({ limits: tokens(60), cost: () => 60, wait: "2m" }),
    );
    void ask("a");
    const first = await script.next();
    void ask("b");
    await clock.advance(10_000);
    expect(script.calls).toBe(1);
    first.call.usage = usageOf(5);
    first.answer("done");
    await clock.advance(0);
    expect(script.calls, "10 came by themselves, 55 came back").toBe(2);
  });

  it("asks for what he asked for first, and his callbacks are asked once", async () => {
    let keys = 0;
    let costs = 0;
    const { outcome, clock } = limited({
      limits: tokens(60),
      wait: "5m",
      key: () => String(++keys && ""),
      cost: () => (++costs, 30),
    });
    const { note, take } = logbook(clock);
    for (const name of ["a", "b", "c", "d", "e"])
      note(
        name,
        outcome(() => 1),
      );
    await clock.advance(90_000);
    expect(take().slice(2)).toEqual(["c answered at 30000", "d answered at 60000", "e answered at 90000"]);
    expect(costs).toBe(5);
    expect(keys).toBe(5);
  });

  it("is not held up by who was first and failed on the way", async () => {
    const { slow, reply } = slowStore();
    const { outcome, clock } = limited({
      limits: { requests: { limit: 1, per: 100 } },
      wait: "1s",
      store: slow,
    });
    const { note, take } = logbook(clock);
    note(
      "a",
      outcome(() => 1),
    );
    reply();
    await clock.settle();
    const leaving = new AbortController();
    note(
      "b",
      outcome(() => 1, { signal: leaving.signal }),
    );
    note(
      "c",
      outcome(() => 1),
    );
    reply();
    reply();
    await clock.advance(100); // b asks again, and the store takes its time
    leaving.abort();
    await clock.settle();
    expect(take()).toEqual(["a answered at 0", "b cancelled at 100"]);
    reply(); // what it admits for b is given back
    await clock.settle();
    reply();
    await clock.settle();
    expect(take()).toEqual(["c answered at 100"]);
  });

  it("is refused when others, elsewhere, have taken what he waited for and it does not fit any more; so are newcomers", async () => {
    const clock = createTestClock();
    const store = createMemoryRateLimitStore();
    const limits = { requests: { limit: 1, per: 100 } };
    const here = limited({ limits, wait: 150, store }, clock);
    const elsewhere = limited({ limits, store }, clock);
    const { note, take } = logbook(clock);
    note(
      "a",
      here.outcome(() => 1),
    );
    clock.setTimer(100, () =>
      note(
        "x",
        elsewhere.outcome(() => 1),
      ),
    ); // in the very moment, just before b
    note(
      "b",
      here.outcome(() => 1),
    );
    await clock.advance(99);
    note(
      "c",
      here.outcome(() => 1),
    );
    await clock.advance(1);
    expect(take()).toEqual(["a answered at 0", "x answered at 100", "b refused at 100"]);
    // c has asked meanwhile, and goes at 200 ms; so it would be 300 ms for d.
    expect(here.outcome(() => 1)).toMatchObject({ status: "refused", refusal: { retryAfterMs: 200 } });
    await clock.advance(100);
    expect(take()).toEqual(["c answered at 200"]);
    expect(here.snapshot().policies[0]?.state).toMatchObject({ queued: {} });
  });

  it("waits for what a total leaves of the time", async () => {
    const clock = createTestClock();
    const pipeline = createPipeline(
      { runtime: clock },
      timeout({ total: 150 }),
      rateLimit({ limits: { requests: { limit: 1, per: 100 } }, wait: "1h" }),
    );
    const { note, take } = logbook(clock);
    for (const name of ["a", "b", "c"])
      note(
        name,
        pipeline.outcome(() => 1),
      );
    await clock.advance(100);
    expect(take()).toEqual(["a answered at 0", "c refused at 0", "b answered at 100"]);
  });

  it("in a group that is decided together asks again for all of it, and consumes nothing meanwhile", async () => {
    const clock = createTestClock();
    const store = createMemoryRateLimitStore();
    const pipeline = createPipeline(
      { runtime: clock },
      rateLimit({ name: "tenant", store, limits: { requests: { limit: 5, per: "1s" } } }),
      rateLimit({ name: "account", store, limits: { requests: { limit: 1, per: 100 } }, wait: "1s" }),
    );
    expect(pipeline.describe().policies[0]?.together).toEqual(["tenant", "account"]);
    const { note, take } = logbook(clock);
    for (const name of ["a", "b", "c"])
      note(
        name,
        pipeline.outcome(() => 1),
      );
    await clock.settle();
    expect(left(pipeline)).toEqual({ requests: 4 });
    await clock.advance(200);
    expect(take()).toEqual(["a answered at 0", "b answered at 100", "c answered at 200"]);
    expect(left(pipeline)).toEqual({ requests: 3 });
  });
});

function usageOf(totalTokens: number): Usage {
  return { totalTokens };
}

describe("traps of rate limits", () => {
  forEachKind(({ kind, upstream }) => {
    it(`trap 33: of 1000 concurrent calls at limit 5 exactly 5 pass (answered ${kind})`, async () => {
      for (const algorithm of ["gcra", "window"] as const) {
        let sent = 0;
        const ask = createClient(
          { upstream: upstream(() => ++sent), runtime: createTestClock() },
          rateLimit({ limits: { requests: { limit: 5, per: "1s", algorithm } } }),
        );
        const ends = await Promise.all(Array.from({ length: 1_000 }, () => finish(ask.outcome("q"))));
        expect(ends.filter(({ status }) => status === "answered")).toHaveLength(5);
        expect(ends.filter(({ status }) => status === "refused")).toHaveLength(995);
        expect(sent).toBe(5);
      }
    });
  });

  it("trap 34: limits of less than a second and of odd length come back, and one evicted key is a full one", async () => {
    for (const algorithm of ["gcra", "window"] as const) {
      const { outcome, clock } = limited({
        limits: { requests: { limit: 1, per: 0.5, algorithm } },
        maxKeys: 2,
        key: String,
      });
      const status = (input: unknown): MaybePromise<Outcome<number>> => outcome(() => 1, { input });
      expect(status("a")).toMatchObject({ status: "answered" });
      expect(status("a")).toMatchObject({ status: "refused", refusal: { retryAfterMs: 1 } });
      await clock.advance(1);
      expect(status("a")).toMatchObject({ status: "answered" });
      for (const key of ["b", "c", "a"]) expect(status(key)).toMatchObject({ status: "answered" });
    }
  });

  it("trap 35: what is refused consumes nothing", async () => {
    const { outcome, clock } = limited({ limits: perSecond(2) });
    for (let i = 0; i < 2; i++) await outcome(() => 1);
    for (let ms = 0; ms < 499; ms++) {
      expect(outcome(() => 1)).toMatchObject({ status: "refused", refusal: { retryAfterMs: 500 - ms } });
      await clock.advance(1);
    }
    await clock.advance(1);
    expect(outcome(() => 1)).toMatchObject({ status: "answered" });
  });

  it("trap 36: a refusal is thrown as an error with retryAfterMs, a store that fails is another error", async () => {
    const { execute } = limited({ limits: perSecond(4) });
    await Promise.all([1, 2, 3, 4].map((n) => execute(() => n)));
    const refusal: unknown = await execute(() => 5).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(Error);
    expect(RefusedError.isInstance(refusal) && [refusal.code, refusal.retryAfterMs]).toEqual([
      "RATE_LIMITED",
      250,
    ]);

    const down = { ...createMemoryRateLimitStore(), decide: () => Promise.reject(new Error("ECONNREFUSED")) };
    const error: unknown = await limited({ limits: perSecond(1), store: down })
      .execute(() => 1)
      .catch((thrown: unknown) => thrown);
    expect(StoreError.isInstance(error) && error.code).toBe("STORE_UNAVAILABLE");
    expect(RefusedError.isInstance(error)).toBe(false);
  });

  it("trap 37: a store that hangs holds a call no longer than its deadline, and what it admits later is given back", async () => {
    const { slow, store, reply } = slowStore();
    const { outcome, clock } = limited({ limits: perSecond(1), store: slow });
    let ran = false;
    const asked = outcome(() => (ran = true), { deadline: 50 });
    expect(await clock.until(asked as Promise<Outcome<boolean>>)).toMatchObject({
      status: "failed",
      fault: "caller",
      error: { code: "TIMED_OUT", clock: "deadline" },
    });
    reply();
    await clock.settle();
    expect(ran).toBe(false);
    expect(store.remaining("rate-limit", clock.now(), 10)).toEqual({ "": { requests: 1 } });
  });

  it("trap 40: no edge of a window lets twice the limit pass, no rounding one more", async () => {
    const { outcome, clock } = limited({
      limits: { requests: { limit: 10, per: 100, algorithm: "window" } },
    });
    const passed: number[] = [];
    for (let at = 0; at < 1_000; at += 3) {
      for (let i = 0; i < 4; i++) if ((await outcome(() => 1)).status === "answered") passed.push(at);
      await clock.advance(3);
    }
    for (const from of passed) {
      expect(passed.filter((at) => at >= from && at < from + 100).length).toBeLessThanOrEqual(10);
    }
    expect(passed.length).toBeGreaterThanOrEqual(90);
  });

  it("trap 41: requests that pass while tokens are refused cost nothing, in one limit and in a group of limits", async () => {
    const clock = createTestClock();
    const one = limited(
      { limits: { ...perSecond(2), ...tokens(100) }, cost: (input) => Number(input) },
      clock,
    );
    const status = (input: number): MaybePromise<Outcome<number>> => one.outcome(() => 1, { input });
    expect(status(90)).toMatchObject({ status: "answered" });
    for (let i = 0; i < 10; i++)
      expect(status(20)).toMatchObject({ status: "refused", refusal: { limit: 100, remaining: 10 } });
    expect(status(10)).toMatchObject({ status: "answered" });

    const store = createMemoryRateLimitStore();
    const group = createPipeline(
      { runtime: clock },
      rateLimit({ name: "rpm", store, limits: perSecond(2) }),
      rateLimit({ name: "tpm", store, limits: tokens(100), cost: () => 60 }),
    );
    expect(await group.outcome(() => 1)).toMatchObject({ status: "answered" });
    expect(await group.outcome(() => 1)).toMatchObject({ status: "refused", refusal: { by: "tpm" } });
    expect(left(group)).toEqual({ requests: 1 });
  });

  it("trap 42: another limit neither refills nor freezes, for who asks and for who waits", async () => {
    const clock = createTestClock();
    const policy = rateLimit({ limits: { requests: { limit: 10, per: "1h" } }, wait: "2h" });
    const { outcome } = createPipeline({ runtime: clock }, policy);
    const { note, take } = logbook(clock);
    for (let i = 0; i < 10; i++) await outcome(() => 1);
    note(
      "waits",
      outcome(() => 1),
    );
    policy.update({ limits: { requests: { limit: 100, per: "1s" } } });
    note(
      "comes later",
      outcome(() => 1),
    );
    await clock.advance(9);
    expect(take(), "not refilled").toEqual([]);
    await clock.advance(11);
    expect(take(), "not frozen").toEqual(["waits answered at 10", "comes later answered at 20"]);
    expect(() => policy.update({ limits: { requests: { limit: -1, per: "1s" } } })).toThrow(ConfigError);
    expect(policy.describe?.()).toMatchObject({ limits: { requests: { limit: 100 } } });
  });

  it("trap 43: the memory is one for all calls and clients, and a hit arms no timer", async () => {
    const clock = createTestClock();
    const policy = rateLimit({ limits: perSecond(3) });
    const clients = [1, 2].map(() => createPipeline({ runtime: clock }, policy));
    const outcomes = await Promise.all([0, 1, 0, 1, 0].map(async (i) => clients[i]?.outcome(() => 1)));
    expect(outcomes.filter((outcome) => outcome?.status === "answered")).toHaveLength(3);
    expect(clock.pending).toBe(0);
  });

  it("trap 44: a clock that goes back neither gives anything away nor blocks", async () => {
    for (const algorithm of ["gcra", "window"] as const) {
      const store = createMemoryRateLimitStore();
      const requests = { algorithm, limit: 2, perMs: 100, burst: 2 };
      const ask = (now: number): RateLimitReply =>
        store.decide({
          kind: "rate-limit",
          name: "r",
          key: "",
          limits: { requests },
          cost: { requests: 1, tokens: 0 },
          now,
        } satisfies RateLimitAsk) as RateLimitReply;
      expect([ask(1_000_000), ask(1_000_000), ask(1_000_000)].map(({ admitted }) => admitted)).toEqual([
        true,
        true,
        false,
      ]);
      const back = ask(5);
      expect(back.admitted).toBe(false);
      expect(back.retryAfterMs).toBeLessThanOrEqual(100);
      expect(ask(5 + back.retryAfterMs).admitted).toBe(true);
    }
  });

  it("leaves the line when the call goes because the store is away, and not only when it has ended", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, string>();
    let asked = 0;
    const store: RateLimitStore = {
      decide: async () => {
        if (++asked > 1) throw new Error("away");
        return { admitted: false, retryAfterMs: 100, at: 0 };
      },
      settle() {},
      remaining: () => ({}),
    };
    const limit = rateLimit({ limits: perSecond(3), wait: "5s", store, outage: "open" });
    const ask = createClient({ upstream: script.upstream, runtime: clock }, limit);
    for (const request of ["a", "b"]) {
      void ask.outcome(request);
      await clock.settle();
    }
    await clock.advance(100);
    expect(asked).toBe(3);
    expect(script.calls).toBe(2);
  });
});
