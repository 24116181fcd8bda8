// Secrets are put in wherever a user can put one, everything is made to fail in every way, and all that is told is searched.
import { inspect } from "node:util";

import {
  adaptive,
  type BreakwaterEvent,
  bulkhead,
  cache,
  circuitBreaker,
  createClient,
  createMemoryRateLimitStore,
  createPipeline,
  fallback,
  type FunctionContext,
  plainEvent,
  rateLimit,
  type RateLimitStore,
  retry,
  timeout,
  upstream,
  type Watchable,
} from "@breakwater/core";
import { type ChatRequest, createDeepSeek, type DeepSeek, recommended, resume } from "@breakwater/deepseek";
import { admin, basicAuth } from "@breakwater/http";
import { type Simulator, startSimulator } from "@breakwater/simulator";
import { createTestClock, type TestClock } from "@breakwater/testing";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { pino } from "pino";
import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";

import { logs } from "../src/index.ts";
import { meters, spans } from "../src/opentelemetry/index.ts";
import { metrics } from "../src/prometheus/index.ts";
import { found } from "./canaries.test-help.ts";

const SECRETS = {
  "API key": "sk-4f1c9ab37de240b8a6105cd2",
  "header of the user's": "Hq7-internal-routing-header-zz41",
  "cookie of the caller": "session=Vk29-caller-cookie-88d1",
  "cookie of the host": "edge=Rt55-host-cookie-10ce",
  "caller's credentials": "Bearer Mw31-somebody-elses-token-5f",
  prompt: "Pk83 my diagnosis is narcolepsy, tell nobody at work",
  "system prompt": "Sy12 you are the assistant of the takeover of Initech",
  "tool's definition": "Td64 looks up a patient by insurance number",
  "tool's arguments": "Ta34-cell-block-nine-under-the-river",
  "thoughts of the model": "Th68 the patient seems to hide her narcolepsy",
  "tool's result": "Tr90 the balance of her account is 1,204.11",
  "user id": "Ui47-patient-0042-of-ward-7",
  answer: "An58 take these pills twice a day before the meals",
  "canned answer": "Ca77 our assistant is unwell, call 555 0199",
  "error's text": "Er19 while asking about narcolepsy of patient 0042",
  "error's name": "En26 NarcolepsyError with a sentence in its name",
  "callback's error": "Cb33 cannot price the takeover of Initech",
  "reason for leaving": "Re84 the patient has closed her browser",
  "store's address": "redis://default:St61-password-of-redis@10.0.0.7",
  "part of a stream": "Ps05 never touch the blue wire of the reactor",
} as const;

/** Told to who is let in to the admin page, and to nobody else unless it is asked for. */
const IDENTITIES = {
  tenant: "Te72-anna.karenina@example.com",
  "policy's key": "Po38-sk-customer-key-as-rate-limit",
} as const;

const PASSWORD = { "admin's password": "Ap93-correct-horse-battery" } as const;

type Face = "admin" | "console" | "events" | "meters" | "pino" | "prometheus" | "spans";

/** Everything that is told of a world in which every client is called `name`. */
async function everything(name: string, faults = FAULTS): Promise<Readonly<Record<Face, string>>> {
  const clock = createTestClock({ wallStart: Date.UTC(2026, 10, 23) });
  const sim = await startSimulator({
    clock: "manual",
    accounts: [{ keys: [SECRETS["API key"]], balanceUsd: 1e6 }],
    text: { content: () => SECRETS.answer },
  });
  const world = { name, clock, sim };
  const clients = [...chats(world, faults), ...others(world)];
  const watched = clients.map(({ client }) => client);
  const listening = await listen(watched, clock);
  await untilOver(Promise.all(clients.map(({ ask }) => ask())), sim, clock);
  await clock.advance(5_000);
  const told = await listening.told();
  await sim.close();
  return told;
}

interface World {
  readonly name: string;
  readonly clock: TestClock;
  readonly sim: Simulator;
}

interface Asked {
  readonly client: Watchable;
  readonly ask: () => Promise<unknown>;
}

const tools = [
  {
    type: "function",
    function: {
      name: "lookup",
      description: SECRETS["tool's definition"],
      parameters: {
        type: "object",
        properties: { place: { type: "string", enum: [SECRETS["tool's arguments"]] } },
        required: ["place"],
      },
    },
  },
] as const;

const request: ChatRequest = {
  model: "deepseek-flash",
  messages: [
    { role: "system", content: SECRETS["system prompt"] },
    { role: "user", content: SECRETS.prompt },
    {
      role: "assistant",
      content: null,
      reasoning_content: SECRETS["thoughts of the model"],
      tool_calls: [
        {
          id: "1",
          type: "function",
          function: { name: "lookup", arguments: `{"place":"${SECRETS["tool's arguments"]}"}` },
        },
      ],
    },
    { role: "tool", tool_call_id: "1", content: SECRETS["tool's result"] },
  ],
  tools: [...tools],
  user_id: SECRETS["user id"],
};

const spoken = (text: string): string => text.replaceAll(",", "");

/** What the host does wrong, each with the prompt in it where it says something. */
const FAULTS: readonly string[] = [
  "none",
  `status;code=500;body={"error":{"message":"${spoken(SECRETS.prompt)}","code":"${spoken(SECRETS.prompt)}"}}`,
  `status;code=400;body={"error":{"message":"${spoken(SECRETS.prompt)}","type":"${SECRETS["API key"]}"}}`,
  `status;code=500;body=x;headers=set-cookie: ${SECRETS["cookie of the host"]}|x-ds-trace-id: ${spoken(SECRETS.prompt)}`,
  `status;code=503;body=${SECRETS["API key"]} is busy;type=text/html`,
  "401",
  "402",
  "404",
  "413",
  "429_balance;limit=3",
  "429_tpm",
  "429_plain;retryAfter=1",
  "400_context",
  "502_html",
  "reset_before_headers",
  "reset_after_headers",
  "empty_200",
  "wrong_content_type",
  "json_instead_of_sse",
  "stall_after;tokens=2",
  "truncate_clean;tokens=2",
  "reset_mid_stream;tokens=2",
  "garbage_then_eof;tokens=2",
  "malformed_event;tokens=2",
  `error_event;tokens=2;code=${SECRETS["API key"]};message=${spoken(SECRETS.prompt)}`,
  `model_swap;to=deepseek-v4-flash`,
  "malformed_json;bytes=40",
  "isr;tokens=0",
  "aborted;tokens=3",
  "content_filter;tokens=2",
  "empty_content",
  "usage_missing",
];

/** A client for each thing that a host does wrong, so that none hides the next. */
function chats({ name, clock, sim }: World, faults: readonly string[]): readonly Asked[] {
  return faults.map((fault, i) => {
    const policies =
      i % 2 === 0
        ? recommended({ retry: { attempts: 2 } })
        : [
            timeout({ total: "20s" }),
            fallback<ChatRequest>({ request: (again) => ({ ...again, model: "deepseek-v4-pro" }) }),
            cache<ChatRequest>({ ttl: "10s", staleIfError: "1h" }),
            rateLimit<ChatRequest>({
              key: () => IDENTITIES["policy's key"],
              limits: { requests: { limit: 6, per: "1m" } },
            }),
            resume(),
            retry<ChatRequest>({ attempts: 2 }),
            circuitBreaker<ChatRequest>({
              key: () => IDENTITIES["policy's key"],
              minimumCalls: 2,
              failureRate: 0.5,
            }),
            adaptive<ChatRequest>({ concurrency: 5, key: () => IDENTITIES["policy's key"] }),
            timeout({ firstToken: "5s", idle: "2s" }),
          ];
    const deepseek = createDeepSeek({
      name,
      runtime: clock,
      apiKey: SECRETS["API key"],
      fetch: sim.fetch,
      headers: {
        "x-routing": SECRETS["header of the user's"],
        "x-sim-fault": fault,
        "x-sim-answer": "tools",
      },
      policies,
    });
    return { client: deepseek, ask: () => askAll(deepseek) };
  });
}

async function askAll(deepseek: DeepSeek): Promise<void> {
  const options = { tenant: IDENTITIES.tenant };
  await deepseek.chat(request, options).catch(() => undefined);
  await deepseek.chat(request, options).catch(() => undefined);
  await readOn(deepseek.stream(request, options));
  await deepseek.chat({ ...request, messages: request.messages.slice(0, 2) }, options).catch(() => undefined);
  const leaving = new AbortController();
  const left = deepseek.chat(request, { ...options, signal: leaving.signal }).catch(() => undefined);
  leaving.abort(new Error(SECRETS["reason for leaving"]));
  await left;
  const init = {
    method: "POST",
    headers: {
      authorization: SECRETS["caller's credentials"],
      cookie: SECRETS["cookie of the caller"],
      "content-type": "application/json",
    },
    body: JSON.stringify(request),
  };
  await deepseek
    .fetch("https://api.deepseek.com/chat/completions", init)
    .then((response) => response.text())
    .catch(() => undefined);
  await deepseek.fim({ prompt: SECRETS.prompt, max_tokens: 5 }, options).catch(() => undefined);
}

async function readOn(stream: AsyncIterable<unknown>): Promise<void> {
  try {
    for await (const _ of stream);
  } catch {
    // It was meant to.
  }
}

/** Clients and pipelines over functions of the user's, which throw what they like. */
function others({ name, clock }: World): readonly Asked[] {
  const settings = { name, runtime: clock };
  const tenant = IDENTITIES.tenant;
  const foreign = (): Error =>
    Object.assign(new Error(SECRETS["error's text"]), {
      code: SECRETS["error's text"],
      status: 503,
      cause: new Error(SECRETS.prompt),
      request: { headers: { authorization: SECRETS["API key"] } },
    });
  const named = (): Error => Object.assign(foreign(), { name: SECRETS["error's name"] });

  const careless = async (text: string, { call }: FunctionContext): Promise<string> => {
    const note = SECRETS.prompt;
    Object.assign(call.meta, { traceId: note, note, saved: { totalTokens: 3, note } });
    call.usage = Object.assign({ totalTokens: 3 }, { note });
    return `${text} ${SECRETS.answer}`;
  };
  const thrower = createPipeline(
    settings,
    fallback({ value: () => SECRETS["canned answer"], when: () => false }),
    retry({ attempts: 2, delay: () => 10 }),
    circuitBreaker({ key: () => IDENTITIES["policy's key"], minimumCalls: 2, failureRate: 0.5 }),
    rateLimit({
      mode: "shadow",
      key: () => IDENTITIES["policy's key"],
      limits: { requests: { limit: 1, per: "1m" } },
    }),
    bulkhead({ concurrency: 2, key: () => IDENTITIES["policy's key"] }),
  );
  const callbacks = createClient(
    { ...settings, upstream: upstream(careless) },
    cache({
      ttl: "1m",
      key: (text) => text,
      storable: () => {
        throw new Error(SECRETS["callback's error"]);
      },
    }),
    retry({
      when: () => {
        throw new Error(SECRETS["callback's error"]);
      },
    }),
  );
  const store = createMemoryRateLimitStore();
  const away: RateLimitStore = {
    ...store,
    shared: true,
    decide: () => {
      throw Object.assign(new Error(`connect ${SECRETS["store's address"]}`), {
        address: SECRETS["store's address"],
      });
    },
  };
  const stored = createPipeline(
    settings,
    rateLimit({ name: "shared", store: away, limits: { requests: { limit: 5, per: "1m" } } }),
  );
  const streaming = createClient(
    {
      ...settings,
      upstream: upstream(async function* (text: string) {
        yield `${SECRETS["part of a stream"]} ${text}`;
        throw foreign();
      }),
    },
    cache({ ttl: "1m", key: (text) => text, shared: true }),
  );
  streaming.on(() => {
    throw new Error(SECRETS["callback's error"]);
  });
  return [
    {
      client: thrower,
      ask: async () => {
        const throwers: readonly (() => unknown)[] = [
          foreign,
          named,
          () => SECRETS.prompt,
          () => ({ toString: () => SECRETS.prompt }),
        ];
        for (const thrown of throwers)
          for (let i = 0; i < 2; i++)
            await thrower.outcome(
              () => {
                throw thrown();
              },
              { tenant, callId: `call-${i}` },
            );
        await thrower.change(1, { update: { attempts: 3 } }, { by: "ada" });
        await thrower.change(2, { force: "open", key: IDENTITIES["policy's key"] }, { by: "ada" });
        await thrower.outcome(() => SECRETS.answer, { tenant });
      },
    },
    {
      client: callbacks,
      ask: async () => {
        await callbacks.outcome(SECRETS.prompt, { tenant });
        await callbacks.outcome(SECRETS.prompt, { tenant });
      },
    },
    { client: stored, ask: async () => stored.outcome(() => SECRETS.answer, { tenant }) },
    { client: streaming, ask: async () => readOn(await streaming(SECRETS.prompt, { tenant })) },
  ];
}

/** Everybody listens, and says in the end what he was told. */
async function listen(
  watched: readonly Watchable[],
  clock: TestClock,
): Promise<{ told(): Promise<Readonly<Record<Face, string>>> }> {
  const register = new Registry();
  const prometheus = metrics(watched, { register, runtime: clock });

  const spanExporter = new InMemorySpanExporter();
  const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spanExporter)] });
  const stopSpans = spans(watched, { tracer: tracers.getTracer("canary"), runtime: clock });

  const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({
    exporter: metricExporter,
    exportIntervalMillis: 3_600_000,
  });
  const provider = new MeterProvider({ readers: [reader] });
  const stopMeters = meters(watched, { meter: provider.getMeter("canary"), runtime: clock });

  const lines: string[] = [];
  const loud = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
  const stopPino = logs(watched, loud, { runtime: clock, sumUp: 0 });

  const printed: string[] = [];
  const print = (...parts: unknown[]): void =>
    void printed.push(...parts.map((part) => inspect(part, { depth: Infinity, showHidden: true })));
  const stopConsole = logs(
    watched,
    { error: print, warn: print, info: print, debug: print },
    { runtime: clock, shape: "message-first" },
  );

  const plain: string[] = [];
  const forget = watched.map((each) =>
    each.on((event: BreakwaterEvent) => plain.push(JSON.stringify(plainEvent(event)))),
  );

  const page = admin(watched, {
    authorize: basicAuth({ ada: PASSWORD["admin's password"] }),
    runtime: clock,
  });
  const credentials = `Basic ${btoa(`ada:${PASSWORD["admin's password"]}`)}`;
  const visit = (path: string): Promise<Response> =>
    page(new Request(`http://localhost${path}`, { headers: { authorization: credentials } }));
  const followed = await visit("/events");
  const following = followed.text();

  return {
    async told() {
      const shown = await Promise.all(
        ["/snapshot", "/describe", "/state", "/"].map(async (path) => {
          const response = await visit(path);
          expect(response.status).toBe(200);
          return `${JSON.stringify([...response.headers])} ${await response.text()}`;
        }),
      );
      const text = await register.metrics();
      await reader.forceFlush();
      for (const stop of [stopSpans, stopMeters, stopPino, stopConsole, ...forget]) stop();
      prometheus.close();
      await page.close();
      const finished = spanExporter
        .getFinishedSpans()
        .map(({ attributes, events, links, name, resource, status }) => ({
          name,
          attributes,
          events,
          links,
          status,
          resource: resource.attributes,
        }));
      const measured = metricExporter.getMetrics();
      await provider.shutdown();
      return {
        admin: [...shown, await following].join("\n"),
        console: printed.join("\n"),
        events: plain.join("\n"),
        meters: inspect(measured, { depth: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity }),
        pino: lines.join("\n"),
        prometheus: text,
        spans: JSON.stringify(finished),
      };
    },
  };
}

/** Both clocks go on together until it is over. */
async function untilOver(work: Promise<unknown>, sim: Simulator, clock: TestClock): Promise<void> {
  let over = false;
  const done = (): void => void (over = true);
  work.then(done, done);
  for (let gone = 0; !over && gone < 3_600_000; gone += 250) {
    await sim.advance(250);
    await clock.advance(250);
  }
  expect(over).toBe(true);
  await work;
}

describe("what is told of clients", () => {
  it("holds no secret, whole or in part, in any spelling", { timeout: 120_000 }, async () => {
    const told = await everything("shop");
    const everybody = { ...SECRETS, ...PASSWORD, ...IDENTITIES };
    const leaks = Object.entries(told).flatMap(([face, output]) =>
      found(output, face === "admin" ? { ...SECRETS, ...PASSWORD } : everybody).map(
        (what) => `${face}: ${what}`,
      ),
    );
    expect(leaks).toEqual([]);
    // Who is let in sees for whom it is, and what a policy counts by.
    expect(found(told.admin, IDENTITIES).toSorted()).toEqual(["policy's key, plain", "tenant, plain"]);
    for (const happened of HAPPENED) expect(told.events).toContain(happened);
  });

  it("would be found if it held one: the name of a client, which all of them tell", async () => {
    const told = await everything(SECRETS.prompt.slice(0, 12), FAULTS.slice(0, 2));
    const silent = Object.entries(told).filter(
      ([, output]) => !found(output, SECRETS).includes("prompt, plain"),
    );
    expect(silent.map(([face]) => face)).toEqual([]);
  });

  it.each([
    ["json", JSON.stringify({ quoted: 'is "this" told?' })],
    ["url-encoded", encodeURIComponent('is "this" told?')],
    ["url-encoded", String(new URLSearchParams({ q: 'is "this" told?' }))],
    ["hex", Buffer.from('is "this" told?').toString("hex")],
    ["base64", btoa('is "this" told?')],
    ["base64", btoa('{"q":"is "this" told?"}')],
    ["base64", Buffer.from('?>?>is "this" told?').toString("base64url")],
    ["plain", 'IS "THIS" TO'],
  ])("would be found as %s", (how, output) => {
    expect(found(`before ${output} after`, { secret: 'is "this" told?' })).toContain(`secret, ${how}`);
  });

  it("is no secret in less than twelve characters", () => {
    expect(found("the narcoleptic is told nobody", { secret: "narcolepsy, tell nobody" })).toEqual([]);
  });
});

/** What has happened in there, so that a world in which nothing goes wrong any more is noticed. */
const HAPPENED: readonly string[] = [
  ...[
    "account-close",
    "account-low",
    "attempt-cost",
    "breaker-open",
    "cache-read",
    "call-refused",
    "callback-throw",
    "clock-ran-out",
    "fallback-use",
    "hint",
    "key-disable",
    "limit-change",
    "policy-change",
    "retry-stop",
    "retry-wait",
    "store-degrade",
    "store-fail",
    "would-refuse",
  ].map((type) => `"type":"${type}"`),
  ...[
    "AUTH",
    "CONTEXT_WINDOW",
    "EMPTY_BODY",
    "INVALID_REQUEST",
    "MALFORMED_RESPONSE",
    "OVERLOADED",
    "QUOTA",
    "RATE_LIMIT",
    "SERVER",
    "STREAM_TRUNCATED",
    "TIMED_OUT",
    "TRANSPORT",
    "UPSTREAM_INTERRUPTED",
    "WRONG_CONTENT_TYPE",
  ].map((code) => `"code":"${code}"`),
  ...["answered", "cancelled", "failed", "refused"].map((status) => `"status":"${status}"`),
];
