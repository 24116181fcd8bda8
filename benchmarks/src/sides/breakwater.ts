import {
  bulkhead,
  cache,
  circuitBreaker,
  type Client,
  createClient,
  createPipeline,
  fallback,
  type FunctionContext,
  type Policy,
  rateLimit,
  retry,
  timeout,
  upstream,
} from "@breakwater/core";

import { ANSWER, forever, noop, type Subject, type Subjects } from "../subject.ts";

async function attentive(_: number, { signal }: FunctionContext): Promise<number> {
  signal.throwIfAborted();
  return ANSWER;
}

function client(work: (request: number, context: FunctionContext) => Promise<number>, ...policies: Policy[]) {
  const ask = createClient(upstream(work), ...policies);
  return (): Subject => ({ call: () => ask(1), comes: "answer" });
}

function pipeline(...policies: Policy[]) {
  const guarded = createPipeline(...policies);
  return (): Subject => ({ call: () => guarded.execute(noop), comes: "answer" });
}

/** Each guard with its own store, as a user gets it; the timeout is around each attempt. */
const stack = (): Policy[] => [retry({ attempts: 3 }), circuitBreaker(), bulkhead({ concurrency: 100 })];
const stackTimeout = (): Policy[] => [...stack(), timeout({ total: "10s" })];

async function full(): Promise<Client<number, number>> {
  const ask = createClient(upstream<number, number>(forever), bulkhead({ concurrency: 1 }));
  void ask.outcome(0);
  return ask;
}

async function open(): Promise<Client<number, number>> {
  const broken = upstream((): Promise<number> => Promise.reject(new Error("down")));
  const breaker = circuitBreaker({ window: { calls: 1 }, openFor: "1h", maxOpenFor: "1h" });
  const ask = createClient(broken, breaker);
  await ask.outcome(0);
  return ask;
}

const asOutcome = (ask: Client<number, number>): Subject => ({
  call: () => ask.outcome(1),
  comes: "refusal",
});
const asThrow = (ask: Client<number, number>): Subject => ({ call: () => ask(1), comes: "throw" });

export const subjects: Subjects = {
  client: () => client(noop)(),
  retry: () => client(noop, retry({ attempts: 3 }))(),
  "circuit-breaker": () => client(noop, circuitBreaker())(),
  bulkhead: () => client(noop, bulkhead({ concurrency: 100 }))(),
  timeout: () => client(noop, timeout({ total: "10s" }))(),
  fallback: () => client(noop, fallback({ value: () => 0 }))(),
  "rate-limit": () => client(noop, rateLimit({ limits: { requests: { limit: 1e9, per: "1s" } } }))(),
  // The first call fills it.
  "cache-hit": () => client(noop, cache({ ttl: "1h", shared: true, key: String }))(),
  stack: () => client(noop, ...stack())(),
  "stack/pipeline": () => pipeline(...stack())(),
  "stack-signal": () => client(attentive, ...stack())(),
  "stack-timeout": () => client(noop, ...stackTimeout())(),
  "stack-timeout/pipeline": () => pipeline(...stackTimeout())(),
  "stack-timeout-signal": () => client(attentive, ...stackTimeout())(),
  "refused-full": async () => asOutcome(await full()),
  "refused-full/throw": async () => asThrow(await full()),
  "refused-open": async () => asOutcome(await open()),
  "refused-open/throw": async () => asThrow(await open()),
};
