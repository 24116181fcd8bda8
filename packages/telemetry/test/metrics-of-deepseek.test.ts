// What metrics say of a DeepSeek that is busy, broken or left, in the words of the simulator that was it.
import { cache, rateLimit } from "@breakwater/core";
import { createDeepSeek, deepseekFetch, type DeepSeekOptions, recommended } from "@breakwater/deepseek";
import { type Simulator, type SimulatorOptions, startSimulator } from "@breakwater/simulator";
import { createTestClock } from "@breakwater/testing";
import { Registry } from "prom-client";
import { afterEach, describe, expect, it } from "vitest";

import { parse, type Sample, valueOf } from "../src/prometheus/exposition.test-help.ts";
import { metrics } from "../src/prometheus/index.ts";

/** A time for which there are prices. */
const MONDAY = "2026-11-23T12:00:00Z";

const open: Simulator[] = [];
afterEach(async () => {
  for (const sim of open.splice(0)) await sim.close();
});

async function world(options: SimulatorOptions, own: DeepSeekOptions = {}) {
  const sim = await startSimulator({
    clock: "manual",
    now: MONDAY,
    accounts: [{ balanceUsd: 1_000 }],
    ...options,
  });
  open.push(sim);
  const clock = createTestClock({ wallStart: Date.parse(MONDAY) });
  const deepseek = createDeepSeek({ apiKey: sim.key, fetch: sim.fetch, runtime: clock, ...own });
  const { register } = metrics(deepseek, { register: new Registry(), runtime: clock, tenants: true });
  return {
    sim,
    deepseek,
    /** Both clocks go on together until the promise settles. */
    async until<T>(promise: Promise<T>): Promise<T> {
      let settled = false;
      const done = (): void => void (settled = true);
      promise.then(done, done);
      for (let ms = 0; !settled && ms < 600_000; ms += 20) {
        await sim.advance(20);
        await clock.advance(20);
      }
      expect(settled).toBe(true);
      return promise;
    },
    scrape: async (): Promise<readonly Sample[]> => parse(await register.metrics()),
  };
}

const ask = (content: string) => ({
  messages: [{ role: "user" as const, content }],
  model: "deepseek-flash",
});

async function readAll(stream: AsyncIterable<unknown>): Promise<number> {
  let items = 0;
  for await (const _ of stream) items++;
  return items;
}

describe("metrics of a DeepSeek", () => {
  it("tell a stream: its first token, its end, its tokens and what they cost", async () => {
    const { deepseek, scrape, until } = await world({});
    await until(readAll(deepseek.stream(ask("tell me a story"), { tenant: "anna" })));
    const samples = await scrape();
    const client = { client: "deepseek" };
    expect(valueOf(samples, "calls_total", { ...client, outcome: "answered", tenant: "anna" })).toBe(1);
    const target = { ...client, target: "deepseek" };
    expect(valueOf(samples, "attempts_total", { ...target, outcome: "answered", status: "" })).toBe(1);
    const first = valueOf(samples, "first_token_seconds_sum", client) ?? 0;
    const whole = valueOf(samples, "call_duration_seconds_sum", client) ?? 0;
    expect(first).toBeGreaterThan(0);
    expect(whole).toBeGreaterThan(first);
    const model = { ...client, model: "deepseek-flash", tenant: "anna" };
    const total = deepseek.costs.total();
    expect(valueOf(samples, "tokens_total", { ...model, type: "prompt" })).toBe(total.hit + total.miss);
    expect(valueOf(samples, "tokens_total", { ...model, type: "completion" })).toBe(total.completion);
    expect(valueOf(samples, "cost_usd_total", { ...model, category: "useful" })).toBeCloseTo(
      Number(total.nanoUsd) / 1e9,
      12,
    );
  });

  it("tell a 503 and a 429 that were retried: one call, three attempts, each with its status", async () => {
    const { deepseek, scrape, sim, until } = await world({
      faults: [
        { action: "503", match: { nth: [1] } },
        { action: "429_plain", match: { nth: [1] } },
      ],
    });
    await until(deepseek.chat(ask("hello")));
    const samples = await scrape();
    expect(sim.attempts().map(({ status }) => status)).toEqual([503, 429, 200]);
    expect(valueOf(samples, "calls_total")).toBe(1);
    expect(valueOf(samples, "attempts_total")).toBe(3);
    expect(valueOf(samples, "attempts_total", { status: "503", outcome: "failed", kind: "upstream" })).toBe(
      1,
    );
    expect(valueOf(samples, "attempts_total", { status: "429", outcome: "failed", kind: "overload" })).toBe(
      1,
    );
    expect(valueOf(samples, "retries_total", { policy: "retry" })).toBe(2);
    expect(valueOf(samples, "limit_changes_total", { direction: "down" })).toBe(1);
    expect(valueOf(samples, "attempt_duration_seconds_count", { target: "deepseek" })).toBe(3);
    expect(valueOf(samples, "cost_usd_total", { category: "useful" })).toBeGreaterThan(0);
  });

  it("tell what was given up: the status that it failed with, and why it was not tried again", async () => {
    const { deepseek, scrape, until } = await world({ faults: [{ action: "503" }] });
    await expect(until(deepseek.chat(ask("hello")))).rejects.toMatchObject({ status: 503 });
    const samples = await scrape();
    expect(valueOf(samples, "calls_total", { outcome: "failed", kind: "upstream" })).toBe(1);
    expect(valueOf(samples, "attempts_total", { status: "503" })).toBe(5);
    expect(valueOf(samples, "retry_stops_total", { because: "attempts" })).toBe(1);
  });

  it("tell hits and joins of a cache, and what they saved; nothing of them has left", async () => {
    const policies = [cache({ ttl: "10m" }), ...recommended()];
    const { deepseek, scrape, sim, until } = await world({}, { policies });
    const options = { tenant: "anna" };
    await until(
      Promise.all([deepseek.chat(ask("why?"), options), readAll(deepseek.stream(ask("why?"), options))]),
    );
    await until(deepseek.chat(ask("why?"), options));
    await until(readAll(deepseek.stream(ask("why?"), options)));
    const samples = await scrape();
    expect(sim.attempts()).toHaveLength(1);
    expect(valueOf(samples, "calls_total", { outcome: "answered" })).toBe(4);
    const kinds = ["fresh", "join", "hit"].map((kind) => valueOf(samples, "calls_total", { kind }));
    expect(kinds).toEqual([1, 1, 2]);
    // Of those that had to wait for it: an answer that is there already would hide how long they did.
    expect(valueOf(samples, "first_token_seconds_count")).toBe(2);
    expect(valueOf(samples, "attempts_total")).toBe(1);
    expect(valueOf(samples, "cache_reads_total", { result: "hit" })).toBe(2);
    expect(valueOf(samples, "cache_entries")).toBe(1);
    expect(valueOf(samples, "cache_bytes")).toBeGreaterThan(0);
    const saved = valueOf(samples, "cost_saved_usd_total", { tenant: "anna" }) ?? 0;
    expect(saved).toBeGreaterThan(0);
    expect(saved).toBeCloseTo(3 * (valueOf(samples, "cost_usd_total", { category: "useful" }) ?? 0), 12);
  });

  it("tell a refusal and a caller who left: neither is a failure, only the second was sent", async () => {
    const policies = [
      rateLimit({ name: "plan", limits: { requests: { limit: 1, per: "1h" } } }),
      ...recommended(),
    ];
    const { deepseek, scrape, sim, until } = await world({}, { policies });
    const leaving = new AbortController();
    const left = deepseek.chat(ask("never mind"), { signal: leaving.signal });
    left.catch(() => undefined);
    await until(Promise.resolve());
    await until(deepseek.chat(ask("me too")).catch(() => undefined));
    leaving.abort(new Error("I left"));
    await expect(left).rejects.toThrow("I left");
    await until(Promise.resolve());
    const samples = await scrape();
    expect(valueOf(samples, "calls_total", { outcome: "cancelled", kind: "caller" })).toBe(1);
    expect(valueOf(samples, "calls_total", { outcome: "refused", kind: "RATE_LIMITED" })).toBe(1);
    expect(valueOf(samples, "refusals_total", { policy: "plan", code: "RATE_LIMITED" })).toBe(1);
    expect(valueOf(samples, "calls_total", { outcome: "failed" })).toBe(0);
    expect(valueOf(samples, "attempts_total")).toBe(sim.attempts().length);
    expect(valueOf(samples, "rate_limit_remaining", { policy: "plan", unit: "requests" })).toBe(0);
  });

  it("are those of the clients that a fetch makes when it is first used", async () => {
    const { sim, until } = await world({});
    const clock = createTestClock();
    const fetch = deepseekFetch({ fetch: sim.fetch, runtime: clock });
    const { register } = metrics(fetch, { register: new Registry(), runtime: clock });
    expect(parse(await register.metrics())).toEqual([]);
    const body = JSON.stringify(ask("hello"));
    const headers = { authorization: `Bearer ${sim.key}`, "content-type": "application/json" };
    const asked = fetch("https://api.deepseek.com/chat/completions", { method: "POST", body, headers });
    const response = await until(asked);
    await until(response.text());
    await clock.settle();
    const samples = parse(await register.metrics());
    expect(valueOf(samples, "calls_total", { client: "deepseek", outcome: "answered" })).toBe(1);
    expect(valueOf(samples, "attempts_total", { client: "deepseek", target: "deepseek" })).toBe(1);
    expect(valueOf(samples, "permits", { client: "deepseek" })).toBe(0);
    expect(JSON.stringify(samples)).not.toContain(sim.key.slice(0, -4));
  });
});
