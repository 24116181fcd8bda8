import { type BreakwaterEvent, ConfigError, createClient, retry } from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import { describe, expect, it } from "vitest";

import { deepseekFetch } from "../deepseek-fetch.ts";
import { createDeepSeek } from "../deepseek.ts";
import { completion, fakeFetch } from "../fake-fetch.test-help.ts";
import { deepseekUpstream } from "../upstream.ts";
import { bookOf, createCostLedger } from "./ledger.ts";
import { usdOf } from "./money.ts";
import type { CostRecord } from "./record.ts";

const nowhere = { listening: false, emit: () => undefined };

function record(more: Partial<CostRecord> = {}): CostRecord {
  return {
    callId: "c",
    host: "deepseek",
    requested: "deepseek-flash",
    model: "deepseek-flash",
    hit: 1,
    miss: 2,
    completion: 3,
    reasoning: 1,
    estimated: false,
    priceFrom: "2026-09-10",
    tier: "offpeak",
    nanoUsd: 1_000_000n,
    category: "useful",
    at: Date.parse("2026-11-23T12:00:00Z"),
    ...more,
  };
}

function ledgerOf(records: readonly CostRecord[], options = {}) {
  const ledger = createCostLedger(options);
  for (const each of records) bookOf("test", ledger).add(each, [], nowhere);
  return ledger;
}

describe("a ledger", () => {
  it("tells what was for nothing, what was estimated, saved, and not known", () => {
    const ledger = ledgerOf([
      record(),
      record({ category: "retryWaste", nanoUsd: 20n }),
      record({ category: "hedgeWaste", nanoUsd: 300n }),
      record({ category: "cancelled", nanoUsd: 4_000n, estimated: true }),
      record({ category: "failed", nanoUsd: null, hit: null, miss: null, completion: null }),
      record({ category: "cached", nanoUsd: 0n, savedNanoUsd: 77n }),
    ]);
    expect(ledger.total()).toEqual({
      nanoUsd: 1_004_320n,
      usd: "0.00100432",
      wasteNanoUsd: 4_320n,
      wasteUsd: "0.00000432",
      estimatedNanoUsd: 4_000n,
      estimatedUsd: "0.000004",
      savedNanoUsd: 77n,
      savedUsd: "0.000000077",
      attempts: 5,
      cached: 1,
      unknown: 1,
      hit: 4,
      miss: 8,
      completion: 12,
      reasoning: 5,
    });
  });

  it("tells it apart, the dearest first, and by days", () => {
    const ledger = ledgerOf([
      record({ tenant: "a" }),
      record({ tenant: "b", nanoUsd: 5_000_000n, model: "deepseek-v4-pro" }),
      record({ tenant: "b", at: Date.parse("2026-11-24T00:00:00Z") }),
    ]);
    const rows = ledger.by(["tenant", "model"]).map(({ model, tenant, usd }) => [tenant, model, usd]);
    expect(rows).toEqual([
      ["b", "deepseek-v4-pro", "0.005"],
      ["a", "deepseek-flash", "0.001"],
      ["b", "deepseek-flash", "0.001"],
    ]);
    expect(ledger.total({ from: "2026-11-24" }).usd).toBe("0.001");
    expect(ledger.total({ to: "2026-11-23" }).usd).toBe("0.006");
    expect(ledger.by(["day"]).map(({ day }) => day)).toEqual(["2026-11-23", "2026-11-24"]);
    expect(ledger.by([])).toMatchObject([{ nanoUsd: 7_000_000n }]);
  });

  it("can be said in JSON", () => {
    const ledger = ledgerOf([record()]);
    expect(JSON.parse(JSON.stringify(ledger.total()))).toMatchObject({ nanoUsd: "1000000", usd: "0.001" });
    expect(JSON.parse(JSON.stringify(ledger.by(["tier"])))).toMatchObject([{ tier: "offpeak", attempts: 1 }]);
  });

  it("has so many rows a day, and loses no money when they are used up", () => {
    const records = Array.from({ length: 50 }, (_, i) => record({ tenant: `t${i}`, model: `m${i % 7}` }));
    const ledger = ledgerOf([...records, record({ tenant: "t0", model: "m0" })], { maxRows: 10 });
    const rows = ledger.by(["tenant", "model"]);
    expect(rows).toHaveLength(11);
    expect(rows.slice(0, 2)).toMatchObject([
      { tenant: "(other)", model: "(other)", attempts: 40 },
      { tenant: "t0", model: "m0", attempts: 2 },
    ]);
    expect(ledger.total().nanoUsd).toBe(51_000_000n);
  });

  it("keeps so many days, the latest, whatever the clock does", () => {
    const on = (day: number): CostRecord => record({ at: Date.UTC(2026, 10, day, 5) });
    const ledger = ledgerOf([on(3), on(1), on(2), on(4), on(2)], { days: 2 });
    const days = ledger.by(["day"]).map(({ attempts, day }) => `${day} ${attempts}`);
    expect(days.toSorted()).toEqual(["2026-11-03 1", "2026-11-04 1"]);
  });

  it("tells each record to whoever listens, and one who throws harms nobody", () => {
    const ledger = createCostLedger();
    const seen: CostRecord[] = [];
    const events: unknown[] = [];
    ledger.on(() => {
      throw new Error("no");
    });
    const forget = ledger.on((each) => seen.push(each));
    const book = bookOf("test", ledger);
    const sink = { listening: true, emit: (event: object) => void events.push(event) };
    book.add(record(), [], sink);
    forget();
    book.add(record(), [], sink);
    expect(seen).toEqual([record()]);
    expect(events).toMatchObject([
      { type: "callback-throw", where: "costs", callId: "c" },
      { type: "attempt-cost", callId: "c", host: "deepseek", model: "deepseek-flash", usd: 0.001 },
      { type: "callback-throw", where: "costs", callId: "c" },
      { type: "attempt-cost", callId: "c", category: "useful", estimated: false },
    ]);
  });

  it.each([
    [/days must be a whole number of at least 1/, () => createCostLedger({ days: 0 })],
    [/prices\.h\.models\.m must be a list/, () => createCostLedger({ prices: { h: { models: { m: [] } } } })],
    [/dimensions must be a list of day, tenant/, () => createCostLedger().by(["user" as "tenant"])],
    [/from must be a day in UTC such as/, () => createCostLedger().total({ from: "today" })],
    [/a period has from and to, got "day"/, () => createCostLedger().total({ day: "2026-11-23" } as object)],
    [/a function is expected/, () => createCostLedger().on("x" as never)],
    [
      /a ledger that createCostLedger\(\) made/,
      () => deepseekUpstream({ apiKey: "sk-1", costs: {} as never }),
    ],
    [
      /costs has prices already/,
      () => createDeepSeek({ apiKey: "sk-1", prices: {}, costs: createCostLedger() }),
    ],
  ])("refuses what cannot be: %s", (message, make) => {
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(message);
  });
});

describe("an HTTP request", () => {
  const wallStart = Date.parse("2026-11-23T12:00:00Z");
  const usage = { prompt_tokens: 1_000, completion_tokens: 100, prompt_cache_hit_tokens: 600 };
  // 600 · 3 + 400 · 150 + 100 · 600
  const cost = 121_800n;
  const answer = (more: object = {}): string =>
    JSON.stringify({ ...(JSON.parse(completion()) as object), usage, ...more });
  const prompt = { messages: [{ role: "user" as const, content: "Hello" }] };

  it("counts once, however many policies and clients are around it", async () => {
    const fake = fakeFetch();
    const costs = createCostLedger();
    const settings = { runtime: createTestClock({ wallStart }) };
    const upstream = deepseekUpstream({ apiKey: "sk-0123456789", fetch: fake.fetch, costs });
    const inner = createClient({ upstream, ...settings }, retry({ name: "a" }), retry({ name: "b" }));
    const outer = createClient({ upstream: inner.upstream, ...settings }, retry({ name: "c" }));
    const asked = outer.full(prompt, { tenant: "t" });
    (await fake.next()).respond(200, answer());
    const { meta } = await asked;
    expect(costs.total()).toMatchObject({ attempts: 1, nanoUsd: cost, hit: 600, miss: 400, completion: 100 });
    expect(costs.of(meta)).toEqual({ nanoUsd: cost, usd: "0.0001218", estimated: false });
    expect(costs.by(["tenant"])).toMatchObject([{ tenant: "t" }]);
  });

  it("of a second host is accounted for in the same ledger, at that host's prices", async () => {
    const fake = fakeFetch();
    const spare = { "deepseek-ai/DeepSeek-V4-Flash": [{ from: "2026-01-01", hit: 1, miss: 1, output: 1 }] };
    const deepseek = createDeepSeek({
      apiKey: "sk-0123456789",
      fetch: fake.fetch,
      runtime: createTestClock({ wallStart }),
      prices: { siliconflow: { models: spare } },
      fallback: { host: "siliconflow", apiKey: "sk-abcdefghij", fetch: fake.fetch },
    });
    const asked = deepseek.chat.full(prompt);
    (await fake.next()).respond(501);
    (await fake.next()).respond(200, answer({ model: "deepseek-ai/DeepSeek-V4-Flash" }));
    const { meta } = await asked;
    expect(deepseek.costs.by(["host", "category"])).toMatchObject([
      { host: "siliconflow", category: "useful", nanoUsd: 1_100_000n },
      { host: "deepseek", category: "retryWaste", nanoUsd: 0n },
    ]);
    expect(deepseek.costs.of(meta)?.usd).toBe("0.0011");
  });

  it("through the fetch is accounted for if it is given a ledger, without a key in it", async () => {
    const fake = fakeFetch();
    const costs = createCostLedger();
    const records: CostRecord[] = [];
    costs.on((each) => records.push(each));
    const ask = deepseekFetch({ fetch: fake.fetch, runtime: createTestClock({ wallStart }), costs });
    const asked = ask("https://api.deepseek.com/chat/completions", {
      method: "POST",
      headers: { authorization: "Bearer sk-secret-0000-aaaa", "content-type": "application/json" },
      body: JSON.stringify({ ...prompt, model: "deepseek-flash" }),
    });
    (await fake.next()).respond(200, answer());
    await (await asked).text();
    expect(records).toMatchObject([{ host: "deepseek", account: "key-aaaa", nanoUsd: cost }]);
    expect(JSON.stringify(records)).not.toMatch(/secret|Hello|salt/);
  });

  it("that a policy refuses is none, and shows nothing to those who listen to events", async () => {
    const fake = fakeFetch();
    const deepseek = createDeepSeek({ apiKey: "sk-0123456789", fetch: fake.fetch });
    const events: BreakwaterEvent[] = [];
    deepseek.on((event) => events.push(event));
    const outcome = await deepseek.client.outcome(prompt, { signal: AbortSignal.abort("gone") });
    expect(outcome.status).toBe("cancelled");
    expect(deepseek.costs.total().attempts).toBe(0);
    expect(deepseek.costs.of(outcome.meta)).toBeUndefined();
    expect(events.some(({ type }) => type === "callback-throw")).toBe(false);
  });
});

it("dollars for people have two decimals at least, and all that there are", () => {
  const nano = [0n, 1n, 500_000_000n, 1_000_000_000n, 1_234_567_890n, 12_340_000_000n];
  expect(nano.map(usdOf)).toEqual(["0.00", "0.000000001", "0.50", "1.00", "1.23456789", "12.34"]);
});
