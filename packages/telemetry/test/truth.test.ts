// What is told of calls, held against those who know better: the wire, the ledger, and the callers.
import {
  bulkhead,
  createClient,
  createPipeline,
  fallback,
  rateLimit,
  retry,
  timeout,
  type Watchable,
} from "@breakwater/core";
import {
  type ChatRequest,
  createDeepSeek,
  type DeepSeek,
  deepseekFetch,
  deepseekUpstream,
  recommended,
} from "@breakwater/deepseek";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { Registry } from "prom-client";
import { afterEach, describe, expect, it } from "vitest";

import { parse, type Sample } from "../src/prometheus/exposition.test-help.ts";
import { metrics } from "../src/prometheus/index.ts";
import {
  type Caller,
  createWorld,
  type Sent,
  sumBy,
  tally,
  type Told,
  type World,
} from "./truth.test-help.ts";

const open: World[] = [];
afterEach(async () => {
  for (const world of open.splice(0)) await world.close();
});

const FAULTS: readonly string[] = [
  ..."none none none none none none none none".split(" "),
  "status;code=520;body=edge",
  "503",
  "503;retryAfter=1",
  "429_plain",
  "429_plain;retryAfter=1",
  "429_balance;limit=30",
  "502_html",
  "504_html",
  "reset_before_headers",
  "reset_after_headers",
  "empty_200",
  "keepalive_then_eof",
  "wrong_content_type",
  "json_instead_of_sse",
  "slow_first_token;ms=4000",
  "stall_after;tokens=3",
  "truncate_clean;tokens=3",
  "reset_mid_stream;tokens=3",
  "garbage_then_eof;tokens=3",
  "malformed_event;tokens=3",
  "error_event;tokens=3",
  "model_swap;to=deepseek-v4-flash",
  "malformed_json;bytes=40",
  "isr;tokens=0",
  "isr;tokens=4",
  "aborted;tokens=3",
  "content_filter;tokens=3",
  "empty_content",
  "usage_missing",
  "no_done",
  "accept_hang",
];

const MODELS = ["deepseek-flash", "deepseek-v4-pro"] as const;

function question(i: number, of = 1_000): ChatRequest {
  return {
    model: MODELS[i % 2] ?? "deepseek-flash",
    messages: [{ role: "user", content: `why ${i % of}?` }],
  };
}

/** Some want it whole, some in pieces, some leave early. */
async function ask(world: World, deepseek: DeepSeek, request: ChatRequest, tenant: string): Promise<void> {
  const how = world.random();
  const patience = world.random() < 0.15 ? 100 + world.random() * 3_000 : Infinity;
  await world.see(async (caller) => {
    const { signal } = caller;
    const cancel = patience === Infinity ? undefined : world.clock.setTimer(patience, caller.leave);
    try {
      if (how < 0.4) {
        await deepseek.chat(request, { tenant, signal });
        caller.begin();
      } else {
        const most = how > 0.9 ? 3 : Infinity;
        await read(deepseek.stream(request, { tenant, signal }), caller, most);
      }
    } finally {
      cancel?.();
    }
  });
}

async function read(stream: AsyncIterable<unknown>, caller: Caller, most: number): Promise<void> {
  let items = 0;
  for await (const _ of stream) {
    caller.begin();
    if (++items >= most) {
      caller.leave();
      return;
    }
  }
}

interface Run {
  readonly watched: readonly Watchable[];
  go(): Promise<readonly Promise<unknown>[]>;
  /** What else must be true. */
  check?(samples: readonly Sample[], told: Told): void;
}

interface Case {
  readonly what: string;
  /** Makes clients, has them asked, and says whom to watch. */
  run(world: World): Promise<Run>;
  /** Whether there are attempts behind answers. */
  readonly refreshes?: boolean;
  /** Whether tokens come that callers do not see yet. */
  readonly heldBack?: boolean;
  /** Clients that callers ask themselves. @default deepseek */
  readonly asked?: readonly string[];
}

/** Thirty calls, one behind the other and on top of one another. */
async function many(
  world: World,
  make: (i: number) => Promise<unknown>,
  calls = 30,
): Promise<Promise<unknown>[]> {
  const all: Promise<unknown>[] = [];
  for (let i = 0; i < calls; i++) {
    all.push(make(i));
    await world.advance(Math.floor(world.random() * 400));
  }
  return all;
}

const CASES: readonly Case[] = [
  {
    what: "recommended policies",
    async run(world) {
      const { fetch, sim } = await world.host("deepseek", FAULTS);
      const deepseek = createDeepSeek({ apiKey: sim.key, fetch, runtime: world.clock, costs: world.costs });
      return {
        watched: [deepseek],
        go: () => many(world, (i) => ask(world, deepseek, question(i), `t${i % 3}`)),
      };
    },
  },
  {
    what: "a cache and shared attempts",
    refreshes: true,
    heldBack: true,
    async run(world) {
      const { fetch, sim } = await world.host("deepseek", FAULTS);
      const deepseek = createDeepSeek({
        apiKey: sim.key,
        fetch,
        runtime: world.clock,
        costs: world.costs,
        policies: recommended({ cache: { ttl: "4s", staleIfError: "1h", refreshAhead: 0.5 } }),
      });
      return {
        watched: [deepseek],
        go: () => many(world, (i) => ask(world, deepseek, question(i, 4), `t${i % 2}`), 60),
      };
    },
  },
  {
    what: "a second host",
    async run(world) {
      const { fetch, sim } = await world.host("deepseek", FAULTS.slice(6));
      const other = await world.host("siliconflow", FAULTS, {
        personality: "siliconflow",
      });
      const deepseek = createDeepSeek({
        apiKey: sim.key,
        fetch,
        runtime: world.clock,
        costs: world.costs,
        fallback: { host: "siliconflow", apiKey: other.sim.key, fetch: other.fetch },
      });
      return { watched: [deepseek], go: () => many(world, (i) => ask(world, deepseek, question(i), "t")) };
    },
  },
  {
    what: "a second host without policies of its own, and another model",
    async run(world) {
      const { fetch, sim } = await world.host("deepseek", FAULTS.slice(6));
      const other = await world.host("siliconflow", FAULTS, { personality: "siliconflow" });
      const second = deepseekUpstream({
        host: "siliconflow",
        apiKey: other.sim.key,
        fetch: other.fetch,
        costs: world.costs,
      });
      const deepseek = createDeepSeek({
        apiKey: sim.key,
        fetch,
        runtime: world.clock,
        costs: world.costs,
        policies: [
          timeout({ total: "30s" }),
          fallback<ChatRequest>({ to: second }),
          fallback<ChatRequest>({ request: (asked) => ({ ...asked, model: "deepseek-v4-pro" }) }),
          timeout({ firstToken: "3s", idle: "2s" }),
        ],
      });
      return { watched: [deepseek], go: () => many(world, (i) => ask(world, deepseek, question(i), "t")) };
    },
  },
  {
    what: "streams that are continued",
    async run(world) {
      const { fetch, sim } = await world.host("deepseek", FAULTS, {
        text: { contentMedian: 40, reasoningMedian: 1 },
      });
      const deepseek = createDeepSeek({
        apiKey: sim.key,
        fetch,
        runtime: world.clock,
        costs: world.costs,
        midStream: "resume",
      });
      return { watched: [deepseek], go: () => many(world, (i) => ask(world, deepseek, question(i), "t")) };
    },
  },
  {
    what: "several accounts",
    async run(world) {
      const { fetch } = await world.host("deepseek", [...FAULTS, "402", "401", "429_balance;limit=3"], {
        accounts: [
          { id: "one", keys: ["sk-of-the-first-one"], balanceUsd: 1e6 },
          { id: "two", keys: ["sk-of-the-second-a", "sk-of-the-second-b"], balanceUsd: 1e6 },
        ],
      });
      const deepseek = createDeepSeek({
        accounts: [
          { id: "one", keys: ["sk-of-the-first-one"] },
          { id: "two", keys: ["sk-of-the-second-a", "sk-of-the-second-b"] },
        ],
        fetch,
        runtime: world.clock,
        costs: world.costs,
      });
      return { watched: [deepseek], go: () => many(world, (i) => ask(world, deepseek, question(i), "t")) };
    },
  },
  {
    what: "guards that refuse, and one that only says so",
    async run(world) {
      const { fetch, sim } = await world.host("deepseek", FAULTS);
      const deepseek = createDeepSeek({
        apiKey: sim.key,
        fetch,
        runtime: world.clock,
        costs: world.costs,
        policies: [
          timeout({ total: "20s" }),
          rateLimit({ name: "plan", limits: { requests: { limit: 8, per: "1h" } } }),
          rateLimit({ name: "strict", mode: "shadow", limits: { requests: { limit: 2, per: "1h" } } }),
          bulkhead({ name: "narrow", concurrency: 2, queue: 2, maxWait: "1s" }),
          retry({ attempts: 2 }),
          timeout({ firstToken: "3s", idle: "2s" }),
        ],
      });
      return {
        watched: [deepseek],
        go: () => many(world, (i) => ask(world, deepseek, question(i), "t"), 40),
        check(samples) {
          const refusals = world.seen.flatMap(({ refusal }) => (refusal === undefined ? [] : [refusal]));
          const byPolicy = tally(refusals.map(({ by, code }) => `${by} ${code}`));
          expect(sumBy(samples, "refusals_total", ["policy", "code"])).toEqual(byPolicy);
          expect(Object.keys(byPolicy)).toContain("plan RATE_LIMITED");
          // It sees those whom the plan lets pass, and would do so to two of them.
          expect(sumBy(samples, "would_refusals_total", ["policy", "code"])).toEqual({
            "strict RATE_LIMITED": 40 - (byPolicy["plan RATE_LIMITED"] ?? 0) - 2,
          });
        },
      };
    },
  },
  {
    what: "clocks that run out",
    async run(world) {
      const { fetch, sim } = await world.host("deepseek", [
        ...FAULTS,
        "slow_headers;ms=9000",
        "slow_first_token;ms=9000",
        "queue_for;ms=9000",
        "accept_hang",
        "stall_after;tokens=2",
      ]);
      const deepseek = createDeepSeek({
        apiKey: sim.key,
        fetch,
        runtime: world.clock,
        costs: world.costs,
        policies: recommended({
          timeout: { total: "8s", overall: "20s" },
          clocks: { headers: "1s", firstToken: "2s", idle: "1s", idleReasoning: "1s" },
        }),
      });
      return { watched: [deepseek], go: () => many(world, (i) => ask(world, deepseek, question(i), "t")) };
    },
  },
  {
    what: "whole answers that are streamed to here",
    heldBack: true,
    async run(world) {
      const { fetch, sim } = await world.host("deepseek", FAULTS);
      const deepseek = createDeepSeek({
        apiKey: sim.key,
        fetch,
        runtime: world.clock,
        costs: world.costs,
        upstreamMode: "stream",
        commitOn: "content",
      });
      return { watched: [deepseek], go: () => many(world, (i) => ask(world, deepseek, question(i), "t")) };
    },
  },
  {
    what: "texts that are filled in",
    async run(world) {
      const { fetch, sim } = await world.host("deepseek", FAULTS);
      const deepseek = createDeepSeek({ apiKey: sim.key, fetch, runtime: world.clock, costs: world.costs });
      const fill = (i: number): Promise<void> =>
        world.see(async (caller) => {
          const request = { model: "deepseek-flash", prompt: `const sum${i} =`, suffix: ";", max_tokens: 20 };
          if (i % 2 === 0) await read(deepseek.fim.stream(request), caller, Infinity);
          else {
            await deepseek.fim(request);
            caller.begin();
          }
        });
      return { watched: [deepseek], go: () => many(world, fill) };
    },
  },
  {
    what: "a client in a pipeline in a client",
    asked: ["pipeline"],
    async run(world) {
      const { fetch, sim } = await world.host("deepseek", FAULTS);
      const { clock: runtime, costs } = world;
      const deepseek = createDeepSeek({ apiKey: sim.key, fetch, runtime, costs });
      const pipeline = createPipeline(
        { name: "pipeline", runtime },
        retry({ attempts: 2 }),
        bulkhead({ concurrency: 9 }),
      );
      const outer = createClient(
        { name: "outer", upstream: deepseek.client, runtime },
        retry({ attempts: 2 }),
      );
      const asking = (i: number): Promise<void> =>
        world.see(async (caller) => {
          await pipeline.execute(({ signal }) => outer(question(i), { signal }));
          caller.begin();
        });
      return { watched: [outer, pipeline, deepseek], go: () => many(world, asking) };
    },
  },
  {
    what: "a race of two",
    asked: ["fast", "slow"],
    async run(world) {
      const { fetch, sim } = await world.host("deepseek", FAULTS);
      const { clock: runtime, costs } = world;
      const [fast, slow] = ["fast", "slow"].map((name) =>
        createDeepSeek({ name, apiKey: sim.key, fetch, runtime, costs }),
      ) as [DeepSeek, DeepSeek];
      const asking = (i: number): Promise<unknown> => {
        const racing: Caller[] = [];
        const lane = (deepseek: DeepSeek): Promise<void> =>
          world.see(async (caller) => {
            racing.push(caller);
            await deepseek.chat(question(i), { signal: caller.signal });
            caller.done();
            for (const other of racing) if (other !== caller) other.leave();
          });
        return Promise.all([lane(fast), lane(slow)]);
      };
      return { watched: [fast, slow], go: () => many(world, asking) };
    },
  },
  {
    what: "the fetch that an SDK is given",
    async run(world) {
      const { fetch, sim } = await world.host("deepseek", FAULTS);
      const dropIn = deepseekFetch({ fetch, runtime: world.clock, costs: world.costs, errorMode: "throw" });
      const headers = { authorization: `Bearer ${sim.key}`, "content-type": "application/json" };
      const asking = (i: number): Promise<void> =>
        world.see(async (caller) => {
          const body = JSON.stringify({ ...question(i), stream: i % 2 === 0 });
          const url = "https://api.deepseek.com/chat/completions";
          const response = await dropIn(url, { method: "POST", body, headers });
          caller.begin();
          await response.text();
        });
      return { watched: [dropIn], go: () => many(world, asking) };
    },
  },
];

type Labels = Readonly<Record<string, string>>;

/** What everybody tells is what everybody knows. */
async function compare(
  world: World,
  told: Told,
  { asked = ["deepseek"], heldBack, refreshes }: Case,
): Promise<void> {
  const samples = await told.scrape();
  const isAsked = ({ client = "" }: Labels): boolean => asked.includes(client);
  const sum = (name: string, where?: (labels: Labels) => boolean): number =>
    sumBy(samples, name, [], where)[""] ?? 0;

  // What has left, for which host, and what came of it. Work that asks others on its way has no target.
  const isHost = ({ target }: Labels): boolean => target !== "";
  expect(sumBy(samples, "attempts_total", ["target"], isHost)).toEqual(
    tally(world.sent.map(({ host }) => host)),
  );
  const isError = ({ status }: Sent): boolean => status !== undefined && status >= 400;
  // 500 stands for an error in a body that came with a 200.
  const isHttp = ({ status = "", target }: Labels): boolean => target !== "" && !["", "500"].includes(status);
  expect(sumBy(samples, "attempts_total", ["target", "status"], isHttp)).toEqual(
    tally(world.sent.filter(isError).map(({ host, status }) => `${host} ${status}`)),
  );
  for (const name of ["attempt_duration_seconds_count", "attempts_total"])
    expect(sum(name, isHost)).toBe(world.sent.length);

  // What was used, and what it cost.
  const rows = world.costs.by(["model", "category"]).filter(({ category }) => category !== "cached");
  const dollars = rows.map(
    ({ category, model, nanoUsd }) => [`${model} ${category}`, Number(nanoUsd) / 1e9] as const,
  );
  expect(rounded(sumBy(samples, "cost_usd_total", ["model", "category"]))).toEqual(rounded(added(dollars)));
  const tokens = rows.flatMap(({ completion, hit, miss, model, reasoning }) => [
    [`${model} cached_prompt`, hit] as const,
    [`${model} completion`, completion] as const,
    [`${model} prompt`, hit + miss] as const,
    [`${model} reasoning`, reasoning] as const,
  ]);
  expect(sumBy(samples, "tokens_total", ["model", "type"])).toEqual(added(tokens));
  const total = world.costs.total();
  expect(total.attempts).toBe(world.sent.length);
  expect(sum("cost_unknown_total")).toBe(total.unknown);
  expect(sum("cost_saved_usd_total")).toBeCloseTo(Number(total.savedNanoUsd) / 1e9, 9);

  // What callers have seen.
  const outcomes = tally(world.seen.map(({ status }) => status));
  expect(sumBy(samples, "calls_total", ["outcome"], isAsked)).toEqual(outcomes);
  const fromCache = told.events.filter(
    (event) => event.type === "call-end" && ["hit", "stale"].includes(event.meta.cache ?? ""),
  );
  const began = world.seen.filter((each) => each.began).length - fromCache.length;
  // A token that is held back is one, whether or not anybody gets to see it.
  if (heldBack === true) expect(sum("first_token_seconds_count", isAsked)).toBeGreaterThanOrEqual(began);
  else expect(sum("first_token_seconds_count", isAsked)).toBe(began);

  // A span and a line for each call, a span for each attempt, in its call and in its time.
  const calls = sumBy(samples, "calls_total", ["client"]);
  const clientOf = ({ attributes }: ReadableSpan): string => String(attributes["breakwater.client"]);
  const [attemptSpans, callSpans] = parted(
    told.spans,
    ({ attributes }) => "breakwater.attempt" in attributes,
  );
  expect(tally(callSpans.map(clientOf))).toEqual(calls);
  expect(tally(attemptSpans.map(clientOf))).toEqual(sumBy(samples, "attempts_total", ["client"]));
  const lines = told.lines.filter(({ type }) => type === "call-end");
  expect(tally(lines.map(({ client }) => client))).toEqual(calls);
  const byId = new Map(callSpans.map((span) => [span.spanContext().spanId, span]));
  let alone = 0;
  for (const span of attemptSpans) {
    const around = byId.get(span.parentSpanContext?.spanId ?? "");
    if (around === undefined) alone++;
    else {
      expect(clientOf(around)).toBe(clientOf(span));
      expect(msOf(span.startTime)).toBeGreaterThanOrEqual(msOf(around.startTime));
      if (refreshes !== true) expect(msOf(span.endTime)).toBeLessThanOrEqual(msOf(around.endTime));
    }
  }
  if (refreshes !== true) expect(alone).toBe(0);
  // Whoever calls begins a trace; what is done for him is in it.
  const roots = callSpans.filter(({ parentSpanContext }) => parentSpanContext === undefined);
  expect(roots).toHaveLength(world.seen.length);

  // All is over, and nothing is left.
  for (const gauge of ["calls_in_flight", "permits", "queue_length"])
    expect(sumBy(samples, gauge, ["client"])).toEqual({});
  expect(sum("callback_errors_total")).toBe(0);
}

function parted<T>(all: readonly T[], is: (each: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(is), all.filter((each) => !is(each))];
}

function msOf([seconds, nanos]: ReadableSpan["startTime"]): number {
  return seconds * 1_000 + nanos / 1e6;
}

/** Those of one name together, without what is nothing. */
function added(amounts: readonly (readonly [name: string, amount: number])[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, amount] of amounts) if (amount > 0) sums[name] = (sums[name] ?? 0) + amount;
  return sums;
}

function rounded(amounts: Readonly<Record<string, number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, amount.toFixed(9)]));
}

describe.each(CASES)("what is told of $what", (one) => {
  it.each([1, 2])("is true, seed %i", { timeout: 60_000 }, async (seed) => {
    const world = createWorld(seed);
    open.push(world);
    const { check, go, watched } = await one.run(world);
    const told = world.watch(...watched);
    await world.until(Promise.all(await go()));
    // Streams that were left, and what runs behind answers.
    await world.advance(130_000);
    await compare(world, told, one);
    check?.(await told.scrape(), told);
  });
});

describe("what is told in the course of time", () => {
  it("loses nothing of clients that a fetch has given up, though their calls go on", async () => {
    const world = createWorld(1);
    open.push(world);
    const keys = Array.from({ length: 5 }, (_, i) => `sk-of-customer-${i}`);
    const { fetch } = await world.host("deepseek", ["none", "503"], {
      accounts: keys.map((key, i) => ({ id: `customer-${i}`, keys: [key], balanceUsd: 1e6 })),
    });
    const dropIn = deepseekFetch({ fetch, runtime: world.clock, maxTargets: 2 });
    const told = world.watch(dropIn);
    const asking = (i: number): Promise<void> =>
      world.see(async () => {
        const authorization = `Bearer ${keys[i % keys.length]}`;
        const headers = { authorization, "content-type": "application/json" };
        const body = JSON.stringify({ ...question(i), stream: true });
        const url = "https://api.deepseek.com/chat/completions";
        const response = await dropIn(url, { method: "POST", body, headers });
        await response.text();
      });
    await world.until(Promise.all(await many(world, asking, 20)));
    expect(dropIn.managed()).toHaveLength(4);
    const samples = await told.scrape();
    expect(sumBy(samples, "calls_total", ["client"])).toEqual({ deepseek: 20 });
    expect(sumBy(samples, "attempts_total", ["target"])).toEqual({ deepseek: world.sent.length });
  });

  it("knows the models that answer, though somebody asks for a thousand others first", async () => {
    const world = createWorld(1);
    open.push(world);
    const { fetch, sim } = await world.host("deepseek", ["none"]);
    const deepseek = createDeepSeek({ apiKey: sim.key, fetch, runtime: world.clock, costs: world.costs });
    const told = world.watch(deepseek);
    for (let i = 0; i < 50; i++) {
      const request = { ...question(i), model: `no-such-model-${i}` };
      await world.until(world.see(() => deepseek.chat(request)));
    }
    await world.until(world.see(() => deepseek.chat(question(0))));
    expect(world.seen.map(({ status }) => status)).toEqual([...Array(50).fill("failed"), "answered"]);
    const samples = await told.scrape();
    expect(Object.keys(sumBy(samples, "tokens_total", ["model"]))).toEqual(["deepseek-flash"]);
    expect(Object.keys(sumBy(samples, "cost_usd_total", ["model"]))).toEqual(["deepseek-flash"]);
    expect(samples.filter(({ labels }) => labels["model"]?.startsWith("no-such"))).toEqual([]);
  });

  it("is whole in a scrape that is on its way when the metrics are closed", async () => {
    const search = createPipeline({ name: "search" }, bulkhead({ concurrency: 1 }));
    const { close, register } = metrics(search, { register: new Registry() });
    await search.execute(() => "found");
    const scraped = register.metrics();
    close();
    const samples = parse(await scraped);
    expect(sumBy(samples, "calls_total", ["client"])).toEqual({ search: 1 });
    expect(sumBy(samples, "permit_limit", ["client"])).toEqual({ search: 1 });
    expect(await register.metrics()).toBe("\n");
  });

  it("begins anew when metrics are closed and made again, and nothing is counted twice", async () => {
    const search = createPipeline({ name: "search" });
    const register = new Registry();
    for (let round = 0; round < 3; round++) {
      const { close } = metrics(search, { register });
      await search.execute(() => "found");
      expect(sumBy(parse(await register.metrics()), "calls_total", ["client"])).toEqual({ search: 1 });
      close();
    }
  });
});
