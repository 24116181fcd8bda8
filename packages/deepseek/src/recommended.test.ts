import {
  createClient,
  createMemoryBreakerStore,
  createMemoryPermitStore,
  createMemoryRateLimitStore,
  retry,
  timeout,
} from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import { describe, expect, test } from "vitest";

import { bench, completion, essence, readAll, sse, STREAM } from "./fake-fetch.test-help.ts";
import { vllm } from "./hosts.ts";
import { rawOf } from "./raw.ts";
import { recommended, type SharedStore } from "./recommended.ts";
import { deepseekUpstream } from "./upstream.ts";

const second = deepseekUpstream({ host: vllm({ model: "mine" }) });
const described = (options: Parameters<typeof recommended>[0] = {}) =>
  recommended(options).map((policy) => [policy.kind, policy.describe?.()] as const);

describe("recommended", () => {
  test("stands in its order, and nothing in it is a mistake", () => {
    const ask = createClient(deepseekUpstream({ apiKey: "k" }), ...recommended({ fallback: second }));
    const { lints, policies } = ask.describe();
    expect(policies.map(({ kind }) => kind)).toEqual([
      "timeout",
      "fallback",
      "retry",
      "circuit-breaker",
      "adaptive",
      "timeout",
    ]);
    expect(lints).toEqual([]);
  });

  test("is patient where there is nowhere else to go", () => {
    expect(described()).toMatchObject([
      ["timeout", { total: 600_000, overall: 3_600_000 }],
      ["retry", { attempts: 5 }],
      ["circuit-breaker", { failureRate: 0.9 }],
      ["adaptive", { concurrency: 500, queue: 2_000 }],
      [
        "timeout",
        { headers: 30_000, liveness: 40_000, firstToken: 180_000, idle: 60_000, idleReasoning: 120_000 },
      ],
    ]);
    const optionsOf = (kind: string, options: Parameters<typeof recommended>[0]) =>
      described(options).findLast(([each]) => each === kind)?.[1];
    expect(optionsOf("circuit-breaker", { fallback: second })).toMatchObject({ failureRate: 0.5 });
    expect(optionsOf("timeout", { fallback: second })).toMatchObject({ firstToken: 60_000 });
    expect(optionsOf("timeout", { profile: "batch" })).toMatchObject({ firstToken: 600_000 });
    expect(described({ profile: "batch" })[0]?.[1]).toMatchObject({ total: 1_800_000 });
  });

  test("sets no clock for headers where a host sends them late", () => {
    expect(described({ host: vllm({ model: "mine" }) }).at(-1)?.[1]).not.toHaveProperty("headers");
  });

  test("lets every part be changed, replaced and left out", () => {
    const mine = retry({ attempts: 7 });
    const policies = recommended({
      timeout: { total: "1m" },
      retry: mine,
      circuitBreaker: false,
      clocks: timeout({ idle: "5s" }),
    });
    expect(policies[0]?.describe?.()).toMatchObject({ total: 60_000, overall: 3_600_000 });
    expect(policies[1]).toBe(mine);
    expect(policies.map(({ kind }) => kind)).toEqual(["timeout", "retry", "adaptive", "timeout"]);
    expect(policies.at(-1)?.describe?.()).toEqual({ name: "timeout", mode: "enforce", idle: 5_000 });
  });

  test("caches only when asked to, inside of the fallback and outside of the retries", () => {
    const policies = recommended({ cache: { ttl: "10m", staleIfError: "1d" }, fallback: second });
    expect(policies.map(({ kind }) => kind).slice(0, 4)).toEqual(["timeout", "fallback", "cache", "retry"]);
    expect(described().map(([kind]) => kind)).not.toContain("cache");
  });

  test("limits only when asked to, before anything is tried, and shares what a store keeps", () => {
    const [breakers, permits, limits] = [
      createMemoryBreakerStore(),
      createMemoryPermitStore(),
      createMemoryRateLimitStore(),
    ];
    const stores = { breaker: breakers, permit: permits, "rate-limit": limits };
    const store = {
      ...permits,
      ...breakers,
      ...limits,
      decide: (ask: { kind: keyof typeof stores }) =>
        (stores[ask.kind].decide as (ask: unknown) => unknown)(ask),
    } as unknown as SharedStore;
    const policies = recommended({ store, rateLimit: { limits: { requests: { limit: 1, per: "1m" } } } });
    expect(policies.map((policy) => [policy.kind, policy.name]).slice(1, 5)).toEqual([
      ["rate-limit", "deepseek"],
      ["retry", "retry"],
      ["circuit-breaker", "deepseek"],
      ["adaptive", "deepseek"],
    ]);
    for (const i of [1, 3, 4]) expect(policies[i]?.describe?.()).toMatchObject({ store });
  });

  test.each([
    [{ profile: "fast" }, /profile must be one of "interactive", "batch"/],
    [{ retries: {} }, /unknown option "retries"/],
    [{ retry: true }, /retry must be options/],
    [{ retry: { attempts: 0 } }, /attempts must be a whole number/],
  ])("refuses %o", (options, message) => {
    expect(() => recommended(options as never)).toThrow(message);
  });
});

describe("a cached stream", () => {
  test("is given out as it came, to the same tenant only", async () => {
    const { ask, clock, next, requests } = bench({}, ...recommended({ cache: { ttl: "10m" } }));
    const request = { messages: [], stream: true } as const;
    const first = ask.outcome(request, { tenant: "ada" });
    const body = (await next()).stream();
    body.push(sse.role + sse.text("Hi") + sse.finish() + sse.done);
    body.end();
    const read = async (outcome: Awaited<typeof first>) => {
      if (outcome.status !== "answered") throw new Error(outcome.status);
      const { chunks } = await readAll(outcome.value);
      return [outcome.meta.cache, chunks.map((chunk) => `data: ${rawOf(chunk)}\n\n`).join("")];
    };
    const text = sse.role + sse.text("Hi") + sse.finish();
    expect(await read(await first)).toEqual(["miss", text]);
    await clock.settle();
    expect(await read(await ask.outcome({ ...request, user_id: "x" }, { tenant: "ada" }))).toEqual([
      "hit",
      text,
    ]);
    expect(requests).toHaveLength(1);
    void ask.outcome(request, { tenant: "bob" });
    (await next()).reject(new Error("another one's"));
  });
});

describe("a call behind them", () => {
  test("that queues for too long is ended and not queued again", async () => {
    const { clock, next, outcome, requests } = bench({}, ...recommended());
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    for (let i = 0; i < 15; i++) {
      body.push(sse.keepAlive);
      await clock.advance(12_000);
    }
    expect(essence(await asked)).toMatchObject({ code: "TIMED_OUT", retryable: false });
    expect(requests).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test("whose connection is silent is made again", async () => {
    const { clock, next, outcome, requests } = bench({}, ...recommended());
    const asked = outcome(STREAM);
    (await next()).stream();
    await clock.advance(40_000);
    const body = (await clock.until(next())).stream();
    body.push(sse.text("Hi") + sse.finish() + sse.done);
    expect((await asked).status).toBe("answered");
    expect(requests).toHaveLength(2);
  });

  test("that wants a whole answer may be silent for minutes", async () => {
    const { clock, next, outcome } = bench({}, ...recommended());
    const asked = outcome();
    const sent = await next();
    await clock.advance(300_000);
    sent.respond(200, completion());
    expect((await asked).status).toBe("answered");
    expect(clock.pending).toBe(0);
  });

  test("that gets an empty answer asks once more, and not twice", async () => {
    const { clock, next, outcome, requests } = bench({}, ...recommended());
    const asked = outcome();
    for (let i = 0; i < 2; i++) (await clock.until(next())).respond(200, completion({ content: "" }));
    expect(essence(await clock.until(asked))).toMatchObject({ code: "EMPTY_RESPONSE" });
    expect(requests).toHaveLength(2);
  });

  test("goes on at a failure rate of 80 %: there is nobody else who could answer", async () => {
    const { clock, ask, next } = bench({}, ...recommended({ retry: false }));
    let refused = 0;
    for (let i = 0; i < 200; i++) {
      const asked = ask.outcome({ messages: [] });
      if ((await Promise.race([asked, clock.settle()]))?.status === "refused") refused++;
      else (await next()).respond(i % 5 === 0 ? 200 : 503, i % 5 === 0 ? completion() : "{}");
      await asked;
    }
    expect(refused).toBe(0);
  });

  test("of one model is not refused for another's sake", async () => {
    const { ask, next } = bench({}, ...recommended({ retry: false }));
    for (let i = 0; i < 20; i++) {
      const asked = ask.outcome({ model: "deepseek-v4-pro", messages: [] });
      (await next()).respond(503, "{}");
      await asked;
    }
    expect((await ask.outcome({ model: "deepseek-v4-pro", messages: [] })).status).toBe("refused");
    const other = ask.outcome({ model: "deepseek-flash", messages: [] });
    (await next()).respond(200, completion());
    expect((await other).status).toBe("answered");
  });

  test.each([
    ["DeepSeek's default", {}, "deepseek-flash"],
    ["the one that was set", { model: "deepseek-v4-pro" }, "deepseek-v4-pro"],
  ])("of a request without a model is about %s", async (_, options, model) => {
    const { ask, next } = bench(options, ...recommended({ retry: false }));
    for (let i = 0; i < 20; i++) {
      const asked = ask.outcome(i % 2 === 0 ? { messages: [] } : { model, messages: [] });
      (await next()).respond(503, "{}");
      await asked;
    }
    expect((await ask.outcome({ messages: [] })).status).toBe("refused");
    expect((await ask.outcome({ model, messages: [] })).status).toBe("refused");
    const states = ask.snapshot().policies.map(({ kind, state }) => [kind, state]);
    expect(states).toContainEqual(["circuit-breaker", { [model]: expect.anything() as unknown }]);
    expect(JSON.stringify(states)).toContain(`"default/${model}"`);
    await ask.change("circuit-breaker", { force: "closed", key: model });
    const asked = ask.outcome({ messages: [] });
    (await next()).respond(200, completion());
    expect((await asked).status).toBe("answered");
  });

  test("that finds an empty account goes to the fallback at once, as do those behind it", async () => {
    const spare = bench();
    const clock = createTestClock();
    const { next, ask, requests } = bench({}, ...recommended({ fallback: spare.ask, clocks: false }));
    for (let i = 0; i < 3; i++) {
      const asked = ask.outcome({ messages: [] });
      if (i === 0) {
        (await next()).respond(402, "{}");
        (await next()).respond(200, '{"is_available":false,"balance_infos":[]}');
      }
      (await spare.next()).respond(200, completion());
      expect(await asked).toMatchObject({ status: "answered", meta: { degraded: true } });
    }
    expect(requests.map(({ url }) => url.replace(/.*test/, ""))).toEqual([
      "/chat/completions",
      "/user/balance",
    ]);
    expect(clock.pending).toBe(0);
  });
});
