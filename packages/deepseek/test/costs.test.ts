// What the ledger says is what the simulator bills, to the nanodollar. The two know nothing of one another.
import { cache } from "@breakwater/core";
import { type Attempt, type Simulator, type SimulatorOptions, startSimulator } from "@breakwater/simulator";
import { createTestClock, seeded, type TestClock } from "@breakwater/testing";
import { afterEach, describe, expect, it } from "vitest";

import {
  type ChatRequest,
  type CostRecord,
  createDeepSeek,
  type DeepSeek,
  type DeepSeekOptions,
  recommended,
} from "../src/index.ts";

const MONDAY = "2026-11-23T00:59:00Z";

interface World {
  readonly sim: Simulator;
  readonly clock: TestClock;
  readonly deepseek: DeepSeek;
  readonly records: CostRecord[];
  advance(ms: number): Promise<void>;
  /** Both clocks go on together until the promise settles. */
  until<T>(promise: Promise<T>): Promise<T>;
}

const open: Simulator[] = [];
afterEach(async () => {
  for (const sim of open.splice(0)) await sim.close();
});

async function world(
  options: SimulatorOptions,
  own: (sim: Simulator) => DeepSeekOptions = () => ({}),
): Promise<World> {
  const sim = await startSimulator({
    clock: "manual",
    now: MONDAY,
    accounts: [{ balanceUsd: 1e6 }],
    capacity: { slots: 5_000, queue: 5_000 },
    ...options,
  });
  open.push(sim);
  const clock = createTestClock({ wallStart: Date.parse(options.now ?? MONDAY) });
  const deepseek = createDeepSeek({ apiKey: sim.key, fetch: sim.fetch, runtime: clock, ...own(sim) });
  const records: CostRecord[] = [];
  deepseek.costs.on((record) => records.push(record));
  const advance = async (ms: number): Promise<void> => {
    for (let gone = 0; gone < ms; gone += 10) {
      await sim.advance(10);
      await clock.advance(10);
    }
  };
  return {
    sim,
    clock,
    deepseek,
    records,
    advance,
    async until(promise) {
      let settled = false;
      const done = (): void => void (settled = true);
      promise.then(done, done);
      for (let ms = 0; !settled && ms < 600_000; ms += 10) await advance(10);
      expect(settled).toBe(true);
      return promise;
    },
  };
}

const ask = (content: string, more: object = {}): ChatRequest => ({
  messages: [{ role: "user", content }],
  model: "deepseek-flash",
  ...more,
});

async function readAll(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

const billed = (attempts: readonly Attempt[]): bigint =>
  attempts.reduce((sum, { billedNanoUsd }) => sum + BigInt(billedNanoUsd), 0n);

const nano = (records: readonly CostRecord[]): bigint =>
  records.reduce((sum, { nanoUsd }) => sum + (nanoUsd ?? 0n), 0n);

describe("the ledger and the simulator's bill", () => {
  it.each([1, 2, 3])("agree to the nanodollar around the beginning of the peak, seed %i", async (seed) => {
    const random = seeded(seed);
    const { advance, deepseek, records, sim, until } = await world({
      seed,
      contextCache: {},
      faults: [
        { action: "503", match: { probability: 0.1 } },
        { action: "empty_content", match: { probability: 0.05 } },
      ],
    });
    const story = "so many words to begin with ".repeat(40);
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < 150; i++) {
      const request = ask(`${i % 3 === 0 ? story : ""}question ${i % 40}`, {
        model: ["deepseek-flash", "deepseek-v4-pro", "deepseek-v4-flash"][i % 3],
        ...(i % 4 === 0 && { thinking: { type: "disabled" } }),
      });
      const options = { tenant: `t${i % 5}` };
      const call = i % 2 === 0 ? deepseek.chat(request, options) : readAll(deepseek.stream(request, options));
      calls.push(call.catch(() => undefined));
      await advance(10 * Math.floor(random() * 160));
    }
    await until(Promise.all(calls));

    const attempts = sim.attempts().filter(({ path }) => path.endsWith("/completions"));
    expect(records).toHaveLength(attempts.length);
    expect(nano(records)).toBe(billed(attempts));
    // One by one as well: what is the same in both.
    const described = (model: string, tier: string | null, tokens: readonly unknown[], cost: unknown) =>
      [model, tier, ...tokens, String(cost)].join(" ");
    const spent = attempts.filter(({ billedNanoUsd }) => billedNanoUsd !== "0");
    expect(
      records
        .filter(({ nanoUsd }) => nanoUsd !== 0n)
        .map(({ completion, hit, miss, model, nanoUsd, tier }) =>
          described(model, tier, [hit, miss, completion], nanoUsd),
        )
        .toSorted(),
    ).toEqual(
      spent
        .map(({ billedNanoUsd, cacheHitTokens: hit, model, promptTokens, tier, tokensGenerated }) =>
          described(model, tier, [hit, promptTokens - hit, tokensGenerated], billedNanoUsd),
        )
        .toSorted(),
    );
    // All of it took part.
    expect(new Set(records.map(({ category }) => category))).toContain("retryWaste");
    expect(new Set(spent.map(({ tier }) => tier))).toEqual(new Set(["peak", "offpeak"]));
    expect(records.some(({ hit }) => (hit ?? 0) > 0)).toBe(true);
    expect(records.some(({ reasoning }) => (reasoning ?? 0) > 0)).toBe(true);
    expect(records.some(({ estimated, nanoUsd }) => estimated || nanoUsd === null)).toBe(false);

    // However they are told apart, they come to the same.
    const { nanoUsd, unknown, wasteNanoUsd } = deepseek.costs.total();
    expect([nanoUsd, unknown]).toEqual([nano(records), 0]);
    expect(wasteNanoUsd).toBe(nano(records.filter(({ category }) => category !== "useful")));
    for (const dimensions of [
      ["model"],
      ["tenant", "model"],
      ["category", "tier", "day", "account"],
    ] as const) {
      const rows = deepseek.costs.by(dimensions);
      expect(rows.reduce((sum, row) => sum + row.nanoUsd, 0n)).toBe(nanoUsd);
    }
  });
});

describe("what an attempt was good for", () => {
  it("an answer is useful, what was tried before it is not", async () => {
    const { deepseek, records, until } = await world({
      faults: [{ action: "empty_content", match: { nth: 1 } }],
    });
    const { meta } = await until(deepseek.chat.full(ask("Hello"), { tenant: "search", callId: "c1" }));
    expect(records.map(({ category }) => category)).toEqual(["retryWaste", "useful"]);
    expect(records[1]).toMatchObject({
      callId: "c1",
      tenant: "search",
      host: "deepseek",
      account: "default",
      requested: "deepseek-flash",
      model: "deepseek-flash",
      priceFrom: "2026-09-10",
      estimated: false,
    });
    const total = deepseek.costs.total();
    expect(total).toMatchObject({ attempts: 2, nanoUsd: nano(records), wasteNanoUsd: records[0]?.nanoUsd });
    expect(deepseek.costs.of(meta)).toMatchObject({ nanoUsd: nano(records), estimated: false });
    const [row] = deepseek.costs.by(["tenant", "day"]);
    expect(row).toMatchObject({ tenant: "search", day: "2026-11-23", attempts: 2 });
  });

  it("of a call that comes to nothing the last attempt has failed", async () => {
    const { deepseek, records, until } = await world({ faults: [{ action: "503" }] }, () => ({
      policies: recommended({ retry: { attempts: 2 } }),
    }));
    const { status } = await until(Promise.resolve(deepseek.client.outcome(ask("Hello"))));
    expect(status).toBe("failed");
    expect(records.map(({ category, nanoUsd }) => [category, nanoUsd])).toEqual([
      ["retryWaste", 0n],
      ["failed", 0n],
    ]);
  });

  it("a call whose caller leaves is cancelled", async () => {
    const { advance, deepseek, records, until } = await world({});
    const browser = new AbortController();
    const asked = deepseek.client.outcome(ask("Hello"), { signal: browser.signal });
    await advance(300);
    browser.abort("gone");
    expect((await asked).status).toBe("cancelled");
    const answer = deepseek.stream(ask("And now?"));
    await until(answer.next());
    await until(Promise.resolve(answer.return?.()));
    // Of an answer that comes whole nobody can know how far it was; of a stream what was read.
    expect(records.map(({ category, estimated }) => [category, estimated])).toEqual([
      ["cancelled", false],
      ["cancelled", true],
    ]);
    const [whole, streamed] = records;
    expect(whole?.nanoUsd).toBe(null);
    expect(streamed?.completion).toBeGreaterThan(0);
    const { estimatedNanoUsd, nanoUsd, unknown, wasteNanoUsd } = deepseek.costs.total();
    expect(nanoUsd).toBeGreaterThan(0n);
    expect([unknown, nanoUsd, wasteNanoUsd]).toEqual([1, estimatedNanoUsd, estimatedNanoUsd]);
  });

  it("a stream that broke off before its host told is estimated, and marked", async () => {
    const { deepseek, records, until } = await world({ faults: [{ action: "truncate_clean;tokens=20" }] });
    const { meta, value } = await until(deepseek.client.full(ask("Tell me", { stream: true })));
    const broken = readAll(value as AsyncIterable<unknown>).then(
      () => "whole",
      () => "broken",
    );
    expect(await until(broken)).toBe("broken");
    expect(records).toMatchObject([{ category: "failed", estimated: true, completion: 20 }]);
    expect(deepseek.costs.of(meta)).toMatchObject({ estimated: true, nanoUsd: records[0]?.nanoUsd });
  });

  it("both parts of an answer that was continued are useful", async () => {
    const { deepseek, records, until } = await world(
      { faults: [{ action: "isr;tokens=20", match: { nth: 1 } }] },
      () => ({ midStream: "resume" }),
    );
    const request = ask("Tell me", { thinking: { type: "disabled" } });
    await until(readAll(deepseek.stream(request)));
    expect(records.map(({ category }) => category)).toEqual(["useful", "useful"]);
  });

  it("an answer from the cache, or from somebody else's attempt, costs nothing and saves what it would have", async () => {
    const { deepseek, records, until } = await world({}, () => ({
      policies: [cache<ChatRequest, never>({ ttl: "1h", shared: true })],
    }));
    const both = Promise.all([deepseek.chat(ask("Hello")), deepseek.chat(ask("Hello"), { tenant: "late" })]);
    await until(both);
    await until(readAll(deepseek.stream(ask("Hello"))));
    expect(records.map(({ category }) => category).toSorted()).toEqual(["cached", "cached", "useful"]);
    const useful = records.find(({ category }) => category === "useful");
    const cost = useful?.nanoUsd ?? 0n;
    expect(cost).toBeGreaterThan(0n);
    const { attempts, cached, nanoUsd, savedNanoUsd, wasteNanoUsd } = deepseek.costs.total();
    expect([attempts, cached, nanoUsd, savedNanoUsd, wasteNanoUsd]).toEqual([1, 2, cost, 2n * cost, 0n]);
    const rows = deepseek.costs.by(["tenant"]).map(({ cached: n, tenant }) => [tenant, n]);
    expect(rows).toEqual([
      ["-", 1],
      ["late", 1],
    ]);
  });

  it("a host without prices costs an unknown amount, and nothing is added for it", async () => {
    const { deepseek, records, sim, until } = await world({}, (simulator) => ({
      host: { name: "mine", baseURL: simulator.url, models: { "deepseek-flash": "deepseek-flash" } },
    }));
    const { meta } = await until(deepseek.chat.full(ask("Hello")));
    expect(records).toMatchObject([{ host: "mine", nanoUsd: null, tier: null, priceFrom: null }]);
    expect(deepseek.costs.total()).toMatchObject({ nanoUsd: 0n, unknown: 1, attempts: 1 });
    expect(deepseek.costs.of(meta)).toEqual({ nanoUsd: null, usd: null, estimated: false });
    expect(sim.attempts()).toHaveLength(1);
  });
});
