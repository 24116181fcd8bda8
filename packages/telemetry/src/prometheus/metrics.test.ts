import {
  type BreakwaterEvent,
  type BudgetStore,
  bulkhead,
  circuitBreaker,
  ConfigError,
  createClient,
  createMemoryBudgetStore,
  createMemoryPermitStore,
  createPipeline,
  guard,
  type Managed,
  type PermitStore,
  rateLimit,
  retry,
  timeout,
} from "@breakwater/core";
import { createTestClock, scriptedUpstream, seeded } from "@breakwater/testing";
import { AggregatorRegistry, register as globalRegister, Registry } from "prom-client";
import { describe, expect, it } from "vitest";

import { EVERY_EVENT, teller } from "../every-event.test-help.ts";
import { INSTRUMENTS } from "../instruments.ts";
import { MAX_SERIES } from "../series.ts";
import { parse, type Sample, valueOf } from "./exposition.test-help.ts";
import { metrics, type PrometheusOptions } from "./metrics.ts";

function measured(clients: Parameters<typeof metrics>[0], options: PrometheusOptions = {}) {
  const { close, register } = metrics(clients, { register: new Registry(), ...options });
  return { close, register, scrape: async (): Promise<readonly Sample[]> => parse(await register.metrics()) };
}

/** Whose state is in memory, and which says so as one does that processes share. */
function sharedPermits(source: () => "store" | "local"): PermitStore {
  const store = createMemoryPermitStore();
  return {
    ...store,
    shared: true,
    decide: async (ask) => ({ ...(await store.decide(ask)), source: source() }),
  };
}

describe("calls", () => {
  it("are counted with how they ended, in the text that Prometheus reads", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const ask = createClient({ upstream: script.upstream, runtime: clock, name: "ask" });
    const { scrape } = measured(ask);

    const answered = ask("a");
    const first = await script.next();
    await clock.advance(1_500);
    first.answer("b");
    await answered;
    const failed = ask.outcome("c");
    (await script.next()).fail(new Error("busy"), { fault: "overload" });
    await failed;
    const leaving = new AbortController();
    const left = ask.outcome("d", { signal: leaving.signal });
    await script.next();
    leaving.abort();
    await left;

    const samples = await scrape();
    expect(valueOf(samples, "calls_total", { client: "ask", outcome: "answered", kind: "fresh" })).toBe(1);
    expect(valueOf(samples, "calls_total", { outcome: "failed", kind: "overload" })).toBe(1);
    expect(valueOf(samples, "calls_total", { outcome: "cancelled", kind: "caller" })).toBe(1);
    expect(valueOf(samples, "attempts_total")).toBe(3);
    expect(valueOf(samples, "call_duration_seconds_sum", { outcome: "answered" })).toBe(1.5);
    expect(valueOf(samples, "call_duration_seconds_bucket", { outcome: "answered", le: "1" })).toBe(0);
    expect(valueOf(samples, "call_duration_seconds_bucket", { outcome: "answered", le: "2.5" })).toBe(1);
    expect(valueOf(samples, "call_duration_seconds_bucket", { outcome: "answered", le: "+Inf" })).toBe(1);
    expect(valueOf(samples, "attempt_duration_seconds_count")).toBe(3);
  });

  it("tell the first token from the end, of a stream to its last token", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, AsyncIterable<string>>();
    const ask = createClient({ upstream: script.upstream, runtime: clock, name: "ask" });
    const { scrape } = measured(ask);
    const asked = ask("a");
    const call = await script.next();
    await clock.advance(2_000);
    const source = call.stream("x");
    const reading = (async () => {
      for await (const _ of await asked);
    })();
    await clock.advance(3_000);
    source.end();
    await reading;
    const samples = await scrape();
    expect(valueOf(samples, "first_token_seconds_sum")).toBe(2);
    expect(valueOf(samples, "attempt_first_token_seconds_sum")).toBe(2);
    expect(valueOf(samples, "call_duration_seconds_sum")).toBe(5);
  });

  it("of a client inside another are calls of each, and attempts of the one that sends them", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const inner = createClient({ upstream: script.upstream, runtime: clock, name: "inner" }, retry());
    const outer = createClient({ upstream: inner, runtime: clock, name: "outer" }, timeout({ total: "1m" }));
    const { scrape } = measured([outer, inner]);
    const asked = outer("a");
    (await script.next()).fail(new Error("down"));
    (await clock.until(script.next())).answer("b");
    await asked;
    const samples = await scrape();
    expect(valueOf(samples, "calls_total", { client: "outer" })).toBe(1);
    expect(valueOf(samples, "calls_total", { client: "inner" })).toBe(1);
    expect(valueOf(samples, "attempts_total", { client: "inner" })).toBe(2);
    expect(valueOf(samples, "attempts_total", { client: "outer" })).toBeUndefined();
    expect(valueOf(samples, "retries_total", { client: "inner", policy: "retry" })).toBe(1);
  });

  it("of two clients of one name add up; one that was given twice counts once", async () => {
    const one = createPipeline({ name: "shop" });
    const other = createPipeline({ name: "shop" });
    const both = { managed: () => [one as Managed, other as Managed], on: one.on };
    const { scrape } = measured([one, other, both]);
    await one.execute(() => 1);
    await other.execute(() => 2);
    const samples = await scrape();
    expect(valueOf(samples, "calls_total", { client: "shop" })).toBe(2);
    expect(samples.filter(({ name }) => name === "breakwater_calls_in_flight")).toHaveLength(1);
  });

  it("are zero before the first: what appears at one is no increase to Prometheus", async () => {
    const later = teller();
    const { scrape } = measured([createPipeline({ name: "shop" }), later]);
    const begun = await scrape();
    expect(valueOf(begun, "calls_total", { client: "shop", outcome: "failed", kind: "upstream" })).toBe(0);
    expect(valueOf(begun, "calls_total", { client: "shop", outcome: "answered", kind: "fresh" })).toBe(0);
    later.tell({ ...EVERY_EVENT["call-start"], client: "made-later" });
    expect(valueOf(await scrape(), "calls_total", { client: "made-later", outcome: "failed" })).toBe(0);
  });

  it("of tenants are one, unless they are asked for, and then the first of them are told apart", async () => {
    const shop = createPipeline({ name: "shop" });
    const without = measured(shop);
    const all = measured(shop, { tenants: true });
    const few = measured(shop, { tenants: { max: 1 } });
    for (const tenant of ["anna", "bert", "anna", "carl"]) await shop.execute(() => 1, { tenant });
    await shop.execute(() => 1);
    expect(await without.register.metrics()).not.toContain("anna");
    expect(valueOf(await all.scrape(), "calls_total", { tenant: "anna" })).toBe(2);
    expect(valueOf(await all.scrape(), "calls_total", { tenant: "" })).toBe(1);
    expect(valueOf(await few.scrape(), "calls_total", { tenant: "other" })).toBe(2);
    expect(valueOf(await few.scrape(), "calls_total", { tenant: "anna" })).toBe(2);
  });
});

describe("the table", () => {
  it("is what comes out: each instrument of it, and nothing else", async () => {
    const clock = createTestClock();
    let source: "store" | "local" = "store";
    const everything = teller();
    const client = createPipeline(
      { name: "shop", runtime: clock },
      circuitBreaker(),
      rateLimit({ limits: { requests: { limit: 10, per: "1m" } } }),
      bulkhead({ name: "shared", concurrency: 5, store: sharedPermits(() => source) }),
      guard("cache", {
        name: "like-a-cache",
        admit: () => undefined,
        snapshot: () => ({ bytes: 7, entries: 1 }),
      }),
    );
    const { register } = measured([client, everything], { runtime: clock });
    await client.execute(() => 1);
    source = "local";
    await client.execute(() => 1);
    for (const event of Object.values(EVERY_EVENT)) everything.tell(event);
    everything.tell({ ...EVERY_EVENT["attempt-cost"], usd: null });
    everything.tell({ ...EVERY_EVENT["attempt-cost"], category: "cached" });

    const samples = parse(await register.metrics());
    const families = new Set(samples.map(({ name }) => name.replace(/_(bucket|sum|count)$/, "")));
    expect([...families].toSorted()).toEqual(
      INSTRUMENTS.map(({ prometheus }) => `breakwater_${prometheus}`).toSorted(),
    );
    const declared = [...(await register.metrics()).matchAll(/^# TYPE (\S+) (\S+)$/gm)];
    expect(declared.map(([, name, type]) => `${name} ${type}`).toSorted()).toEqual(
      INSTRUMENTS.map(({ prometheus, type }) => `breakwater_${prometheus} ${type}`).toSorted(),
    );
    expect(valueOf(samples, "store_degraded", { policy: "shared" })).toBe(1);
    expect(valueOf(samples, "store_decisions_total", { policy: "shared", source: "local" })).toBe(1);
  });

  it("names each thing once, counters as counters and in base units", () => {
    const names = INSTRUMENTS.map(({ prometheus }) => prometheus);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(INSTRUMENTS.map(({ otel }) => otel)).size).toBe(names.length);
    expect(new Set(INSTRUMENTS.map(({ key }) => key)).size).toBe(names.length);
    for (const { buckets, prometheus, type, unit } of INSTRUMENTS) {
      expect(prometheus.endsWith("_total")).toBe(type === "counter");
      expect(prometheus.endsWith("_seconds")).toBe(unit === "s");
      expect(buckets !== undefined).toBe(type === "histogram");
    }
  });

  it.each(Object.keys(EVERY_EVENT))("counts what %s tells, if it is the end of something", async (type) => {
    const everything = teller();
    const { scrape } = measured(everything);
    const event = EVERY_EVENT[type as keyof typeof EVERY_EVENT];
    everything.tell(event);
    everything.tell(event);
    const samples = await scrape();
    // What these tell is seen in snapshots, or in what ends what they begin.
    const silent = ["attempt-start", "call-start", "store-degrade", "store-recover"].includes(type);
    expect(samples.some(({ value }) => value > 0)).toBe(
      !silent && type !== "account-open" && type !== "key-enable",
    );
  });
});

describe("states", () => {
  it("of permits are those in use, of all keys together, and the share of the key that is fullest", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const ask = createClient(
      { upstream: script.upstream, runtime: clock, name: "ask" },
      bulkhead({ name: "hall", concurrency: 4, queue: 5, key: (request) => request.slice(0, 1) }),
    );
    const { scrape } = measured(ask);
    expect(valueOf(await scrape(), "permit_limit", { policy: "hall" })).toBe(4);
    const calls = ["a1", "a2", "a3", "a4", "a5", "b1"].map(async (request) => ask.outcome(request));
    await clock.settle();
    const samples = await scrape();
    expect(valueOf(samples, "permits", { client: "ask", policy: "hall" })).toBe(5);
    expect(valueOf(samples, "permit_limit")).toBe(8);
    expect(valueOf(samples, "permit_usage_ratio")).toBe(1);
    expect(valueOf(samples, "queue_length")).toBe(1);
    expect(valueOf(samples, "calls_in_flight")).toBe(6);
    for (let i = 0; i < calls.length; i++) (await script.next()).answer("x");
    await Promise.all(calls);
    const later = await scrape();
    expect(valueOf(later, "permits")).toBe(0);
    expect(valueOf(later, "calls_in_flight")).toBe(0);
    expect(valueOf(later, "queue_wait_seconds_count", { policy: "hall" })).toBe(1);
  });

  it("of circuits are always all there, forced ones too", async () => {
    const breaker = circuitBreaker({ name: "host", window: { calls: 2 }, minimumCalls: 2 });
    const guarded = createPipeline({ name: "shop" }, breaker);
    const { scrape } = measured(guarded);
    const states = async (): Promise<Record<string, number>> =>
      Object.fromEntries(
        (await scrape())
          .filter(({ name }) => name === "breakwater_breaker_circuits")
          .map(({ labels, value }) => [labels["state"], value]),
      );
    const none = { closed: 0, open: 0, "half-open": 0, "forced-open": 0, "forced-closed": 0 };
    expect(await states()).toEqual(none);
    const fail = () => guarded.outcome(() => Promise.reject(new Error("down")));
    await fail();
    expect(await states()).toEqual({ ...none, closed: 1 });
    await fail();
    expect(await states()).toEqual({ ...none, open: 1 });
    await fail();
    await guarded.change("host", { force: "open" }, { by: "ada" });
    expect(await states()).toEqual({ ...none, "forced-open": 1 });
    await guarded.change("host", { update: { mode: "shadow" } });
    await fail();
    const samples = await scrape();
    expect(valueOf(samples, "breaker_transitions_total", { policy: "host", to: "open" })).toBe(1);
    expect(valueOf(samples, "refusals_total", { policy: "host", code: "CIRCUIT_OPEN" })).toBe(1);
    expect(valueOf(samples, "would_refusals_total", { policy: "host", code: "CIRCUIT_OPEN" })).toBe(1);
    expect(valueOf(samples, "policy_changes_total", { change: "force-open" })).toBe(1);
    expect(valueOf(samples, "policy_changes_total", { change: "mode-shadow" })).toBe(1);
    expect(valueOf(samples, "policy_mode", { policy: "host", kind: "circuit-breaker", mode: "shadow" })).toBe(
      1,
    );
    expect(valueOf(samples, "policy_mode", { policy: "host", mode: "enforce" })).toBe(0);
  });

  it("of a policy in two clients of one name are its own, once", async () => {
    const hall = bulkhead({ name: "hall", concurrency: 3 });
    const clients = [createPipeline({ name: "shop" }, hall), createPipeline({ name: "shop" }, hall)];
    const { scrape } = measured(clients);
    expect(valueOf(await scrape(), "permit_limit", { client: "shop" })).toBe(3);
  });

  it("of a retry budget that processes share are those of a policy of that name", async () => {
    const store = createMemoryBudgetStore();
    const shared: BudgetStore = {
      shared: true,
      budget(...given) {
        const budget = store.budget(...given);
        return { ...budget, take: async (now) => ({ ...(await budget.take(now)), source: "local" }) };
      },
    };
    const shop = createPipeline(
      { name: "shop", budget: { name: "fleet", store: shared } },
      retry({ attempts: 2, baseDelay: 0 }),
    );
    const { scrape } = measured(shop);
    await shop.outcome(() => Promise.reject(new Error("down")));
    const samples = await scrape();
    expect(valueOf(samples, "store_degraded", { client: "shop", policy: "retry-budget" })).toBe(1);
    expect(valueOf(samples, "store_decisions_total", { policy: "fleet", kind: "retry-budget" })).toBe(1);
  });

  it("of rate limits are what the key that has least has left", async () => {
    const limited = createPipeline(
      { name: "shop", runtime: createTestClock() },
      rateLimit({
        limits: { requests: { limit: 5, per: "1m" }, tokens: { limit: 100, per: "1m" } },
        key: (_, call) => call.tenant,
      }),
    );
    const { scrape } = measured(limited);
    await limited.execute(() => 1, { tenant: "anna", cost: { totalTokens: 60 } });
    await limited.execute(() => 1, { tenant: "bert" });
    const samples = await scrape();
    expect(valueOf(samples, "rate_limit_remaining", { unit: "requests" })).toBe(4);
    expect(valueOf(samples, "rate_limit_remaining", { unit: "tokens" })).toBe(40);
  });

  it("of accounts are what was last told of them; a low one is low for as long as that holds", async () => {
    const clock = createTestClock();
    const upstream = teller();
    const { scrape } = measured(upstream, { runtime: clock });
    const state = async (name: string): Promise<number | undefined> =>
      valueOf(await scrape(), "account_state", { account: "main", state: name });
    upstream.tell(EVERY_EVENT["account-low"]);
    expect([await state("low"), await state("closed")]).toEqual([1, 0]);
    await clock.advance(EVERY_EVENT["account-low"].forMs);
    expect(await state("low")).toBe(0);
    upstream.tell(EVERY_EVENT["account-low"]);
    upstream.tell(EVERY_EVENT["account-close"]);
    expect([await state("low"), await state("closed")]).toEqual([0, 1]);
    upstream.tell(EVERY_EVENT["account-open"]);
    expect([await state("low"), await state("closed")]).toEqual([0, 0]);
    upstream.tell(EVERY_EVENT["key-disable"]);
    upstream.tell(EVERY_EVENT["key-disable"]);
    upstream.tell({ ...EVERY_EVENT["key-disable"], key: "cd34" });
    expect(valueOf(await scrape(), "key_disabled", { account: "main" })).toBe(2);
    upstream.tell(EVERY_EVENT["key-enable"]);
    expect(valueOf(await scrape(), "key_disabled", { account: "main" })).toBe(1);
    // No key of theirs is told, not even what events show of it.
    expect(JSON.stringify(await scrape())).not.toContain("cd34");
  });

  it("that somebody's policy cannot tell spoil no scrape, and are counted", async () => {
    const broken = guard("odd", {
      name: "odd",
      admit: () => undefined,
      snapshot() {
        throw new Error("not today");
      },
    });
    const { scrape } = measured([createPipeline({ name: "shop" }, broken), createPipeline({ name: "ask" })]);
    await scrape();
    const samples = await scrape();
    expect(valueOf(samples, "calls_in_flight", { client: "ask" })).toBe(0);
    expect(valueOf(samples, "calls_in_flight", { client: "shop" })).toBeUndefined();
    expect(valueOf(samples, "callback_errors_total")).toBeGreaterThan(0);
  });

  it("are looked at once for all gauges of a scrape, and anew for the next", async () => {
    let looked = 0;
    const counting = guard("odd", { name: "odd", admit: () => undefined, snapshot: () => ++looked });
    const { register } = measured(createPipeline({ name: "shop" }, counting));
    const before = looked;
    await register.metrics();
    expect(looked).toBe(before + 1);
    await register.getMetricsAsJSON();
    expect(looked).toBe(before + 2);
  });
});

describe("bounds", () => {
  it("10,000 models, targets, tenants and whatever else somebody sends make no more series", async () => {
    const everything = teller();
    const { scrape } = measured(everything, { tenants: true });
    const flood = (i: number): void => {
      const at = { client: `c${i}`, serial: i, tenant: `t${i}` };
      const of = { target: `h${i}`, model: `m${i}` };
      const error = Object.assign(new Error("x"), { status: 100 + (i % 500) });
      const { ending } = EVERY_EVENT["attempt-end"];
      everything.tell({ ...EVERY_EVENT["call-start"], ...at });
      everything.tell({ ...EVERY_EVENT["attempt-end"], ...at, ...of, ending: { ...ending, error } });
      everything.tell({ ...EVERY_EVENT["attempt-cost"], ...at, model: `m${i}` });
      everything.tell({ ...EVERY_EVENT["call-refused"], ...at, refusal: { by: `p${i}`, code: `C${i}` } });
      everything.tell({ ...EVERY_EVENT["fallback-use"], ...at, policy: `p${i}`, to: `h${i}` });
      everything.tell({ ...EVERY_EVENT["account-close"], ...at, account: `a${i}` });
      everything.tell({ ...EVERY_EVENT["store-decide"], ...at, policy: `p${i}`, kind: `k${i}` });
      everything.tell({ ...EVERY_EVENT["call-end"], ...at });
    };
    for (let i = 0; i < 10_000; i++) flood(i);
    const samples = await scrape();
    const valuesOf = (label: string): number =>
      new Set(samples.flatMap(({ labels }) => (labels[label] === undefined ? [] : [labels[label]]))).size;
    expect(valuesOf("model")).toBe(21); // with `other`
    expect(valuesOf("target")).toBe(21);
    expect(valuesOf("tenant")).toBe(52); // and those that have none
    expect(valuesOf("client")).toBe(51);
    expect(valuesOf("policy")).toBe(51);
    expect(valuesOf("code")).toBe(51);
    expect(valuesOf("status")).toBe(41);
    expect(valuesOf("account")).toBe(51);
    expect(valueOf(samples, "attempts_total")).toBe(10_000);
    expect(valueOf(samples, "calls_total")).toBe(10_000);
    for (const { prometheus, type } of INSTRUMENTS) {
      const name = `breakwater_${prometheus}${type === "histogram" ? "_count" : ""}`;
      // Those that only differ in values of ours come on top.
      expect(samples.filter((sample) => sample.name === name).length).toBeLessThan(MAX_SERIES + 20);
    }
  });

  it("can be wider, and narrower", async () => {
    const everything = teller();
    const { scrape } = measured(everything, { maxValues: { model: 2 }, buckets: { duration: [1, 2] } });
    for (const model of ["a", "b", "c", "d"]) everything.tell({ ...EVERY_EVENT["attempt-cost"], model });
    everything.tell(EVERY_EVENT["call-end"]);
    const samples = await scrape();
    const models = samples.filter(({ name }) => name === "breakwater_cost_usd_total");
    expect(models.map(({ labels }) => labels["model"])).toEqual(["a", "b", "other"]);
    const buckets = samples.filter(({ name }) => name === "breakwater_call_duration_seconds_bucket");
    expect(buckets.map(({ labels }) => labels["le"])).toEqual(["1", "2", "+Inf"]);
  });

  it("values that no number can be made of are not added: a counter that is NaN once is so for ever", async () => {
    const everything = teller();
    const { scrape } = measured(everything);
    const { ending } = EVERY_EVENT["attempt-end"];
    for (const promptTokens of [Number.NaN, -5, Infinity, 3])
      everything.tell({ ...EVERY_EVENT["attempt-end"], ending: { ...ending, usage: { promptTokens } } });
    everything.tell({ ...EVERY_EVENT["attempt-cost"], usd: Number.NaN });
    const samples = await scrape();
    expect(valueOf(samples, "tokens_total", { type: "prompt" })).toBe(3);
    expect(valueOf(samples, "cost_unknown_total")).toBe(1);
  });
});

describe("counters", () => {
  it.each([1, 2, 3])(
    "only grow, and calls are as many as they ended, whatever happens; seed %i",
    async (seed) => {
      const random = seeded(seed);
      const clock = createTestClock({ seed });
      const script = scriptedUpstream();
      const ask = createClient(
        { upstream: script.upstream, runtime: clock, name: "ask" },
        timeout({ total: "5s" }),
        retry({ attempts: 2, baseDelay: "1s" }),
        circuitBreaker({ window: { calls: 20 }, minimumCalls: 10, openFor: "2s" }),
        bulkhead({ concurrency: 3, queue: 2, maxWait: "2s" }),
      );
      const told: BreakwaterEvent[] = [];
      ask.on((event) => told.push(event));
      const { scrape } = measured(ask);
      const counters = new Set(
        INSTRUMENTS.filter(({ type }) => type !== "gauge").map(
          ({ prometheus }) => `breakwater_${prometheus}`,
        ),
      );
      const before = new Map<string, number>();
      const arrived: Awaited<ReturnType<typeof script.next>>[] = [];
      const ends: unknown[] = [];
      void (async () => {
        for (;;) arrived.push(await script.next());
      })();

      for (let step = 0; step < 300; step++) {
        const chance = random();
        if (chance < 0.4) {
          const leaving = new AbortController();
          ends.push(ask.outcome(`q${step}`, { signal: leaving.signal }));
          if (random() < 0.1) leaving.abort();
        } else if (chance < 0.8) {
          const call = arrived.shift();
          if (random() < 0.5) call?.answer("x");
          else call?.fail(new Error("down"), { fault: random() < 0.5 ? "upstream" : "overload" });
        }
        await clock.advance(Math.floor(random() * 400));
        if (step % 20 !== 0) continue;
        for (const { labels, name, value } of await scrape()) {
          if (!counters.has(name.replace(/_(bucket|sum|count)$/, ""))) continue;
          const id = name + JSON.stringify(labels);
          expect(value).toBeGreaterThanOrEqual(before.get(id) ?? 0);
          before.set(id, value);
        }
      }
      while (arrived.length > 0) arrived.shift()?.answer("x");
      await clock.advance(60_000);
      await Promise.all(ends);

      const samples = await scrape();
      expect(valueOf(samples, "calls_total")).toBe(ends.length);
      expect(valueOf(samples, "call_duration_seconds_count")).toBe(ends.length);
      expect(valueOf(samples, "attempts_total")).toBe(
        told.filter(({ type }) => type === "attempt-end").length,
      );
      expect(valueOf(samples, "refusals_total") ?? 0).toBe(
        told.filter(({ type }) => type === "call-refused").length,
      );
      expect(valueOf(samples, "calls_in_flight")).toBe(0);
      expect(valueOf(samples, "permits")).toBe(0);
    },
  );

  it("go on from zero when the registry is reset, as all others do", async () => {
    const shop = createPipeline({ name: "shop" });
    const { register, scrape } = measured(shop);
    await shop.execute(() => 1);
    await scrape();
    register.resetMetrics();
    await shop.execute(() => 1);
    const samples = await scrape();
    expect(valueOf(samples, "calls_total")).toBe(1);
    expect(valueOf(samples, "call_duration_seconds_count")).toBe(1);
  });
});

describe("a registry", () => {
  it("is prom-client's own, if none is given, and has nothing left when the metrics are closed", async () => {
    const shop = createPipeline({ name: "shop" });
    const { close, register } = metrics(shop);
    try {
      expect(register).toBe(globalRegister);
      expect(register.getSingleMetric("breakwater_calls_total")).toBeDefined();
    } finally {
      close();
    }
    expect(register.getMetricsAsArray()).toEqual([]);
    close();
    await shop.execute(() => 1);
    expect(await register.metrics()).toBe("\n");
  });

  it("takes one of each name: a second one is told what to do, and has changed nothing", async () => {
    const shop = createPipeline({ name: "shop" });
    const { close, register, scrape } = measured(shop);
    expect(() => metrics(createPipeline(), { register })).toThrow(
      "metrics: the registry has breakwater_calls_total already. Give all clients to one metrics([one, other]), close() the former one, or say another prefix or register.",
    );
    const second = metrics(shop, { register, prefix: "mine_" });
    await shop.execute(() => 1);
    expect(await register.metrics()).toContain("mine_calls_total{");
    second.close();
    expect(valueOf(await scrape(), "calls_total")).toBe(1);
    close();
    metrics(shop, { register }).close();
  });

  it("of several processes of a cluster is added up by prom-client", async () => {
    const shop = createPipeline({ name: "shop" });
    const one = measured(shop);
    const other = measured(shop);
    await shop.execute(() => 1);
    const sum = AggregatorRegistry.aggregate([
      await one.register.getMetricsAsJSON(),
      await other.register.getMetricsAsJSON(),
    ]);
    const samples = parse(await sum.metrics());
    expect(valueOf(samples, "calls_total", { outcome: "answered" })).toBe(2);
    expect(valueOf(samples, "call_duration_seconds_bucket", { outcome: "answered", le: "+Inf" })).toBe(2);
    expect(valueOf(samples, "call_duration_seconds_count")).toBe(2);
  });

  it("may be one of OpenMetrics", async () => {
    const register = new Registry();
    register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
    const shop = createPipeline({ name: "shop" });
    const { close } = metrics(shop, { register });
    await shop.execute(() => 1);
    const text = await register.metrics();
    expect(text).toContain("# TYPE breakwater_calls counter\nbreakwater_calls_total{client=");
    expect(text).toContain(
      'breakwater_call_duration_seconds_bucket{client="shop",outcome="answered",le="0.1"} 1',
    );
    expect(text.endsWith("# EOF\n")).toBe(true);
    close();
    expect(register.getMetricsAsArray()).toEqual([]);
  });
});

describe("what cannot work", () => {
  const shop = createPipeline();
  it.each([
    [{ prefix: "my-app." }, /prefix must be letters/],
    [{ register: {} }, /register must be a Registry/],
    [{ tenants: "yes" }, /tenants must be true, false or/],
    [{ tenants: { max: 0 } }, /max must be a whole number from 1 to 1000/],
    [{ tenants: { most: 5 } }, /max is required/],
    [{ maxValues: { tenant: 5 } }, /unknown option "tenant"/],
    [{ maxValues: { model: 1e9 } }, /model must be a whole number from 1 to 1000/],
    [{ buckets: { duration: [2, 1] } }, /duration must be a list of 1 to 50 rising numbers/],
    [{ buckets: { firstToken: [] } }, /firstToken must be a list/],
    [{ buckets: { duration: [0, 1] } }, /rising/],
    [{ buckets: { latency: [1] } }, /unknown option "latency"/],
    [{ label: 1 }, /unknown option "label"/],
  ])("%j is refused before anything is registered", (options, message) => {
    const register = new Registry();
    const given = { register, ...options } as PrometheusOptions;
    expect(() => metrics(shop, given)).toThrow(ConfigError);
    expect(() => metrics(shop, given)).toThrow(message);
    expect(register.getMetricsAsArray()).toEqual([]);
  });

  it("and so is what is no client", () => {
    expect(() => metrics({} as never, { register: new Registry() })).toThrow(/metrics: a client is expected/);
    expect(() => metrics([], { register: new Registry() })).toThrow(/the list of clients is empty/);
  });
});
