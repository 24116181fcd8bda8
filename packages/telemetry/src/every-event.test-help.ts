import {
  type BreakwaterEvent,
  type Ending,
  type EventOf,
  type EventType,
  type Listener,
  type Meta,
  type Refusal,
  UpstreamError,
  type Watchable,
} from "@breakwater/core";

const about = { client: "shop", callId: "c-1", serial: 7, at: 1_500 };
const usage = {
  promptTokens: 10,
  cachedPromptTokens: 4,
  completionTokens: 20,
  reasoningTokens: 5,
  totalTokens: 30,
  estimated: true,
};
const refusal: Refusal = {
  by: "account",
  code: "RATE_LIMITED",
  retryAfterMs: 300,
  limit: 5,
  remaining: 0,
  resetMs: 900,
  source: "local",
};
const error = new UpstreamError("OVERLOADED", "busy", { status: 503, traceId: "t-1" });
const meta: Meta = {
  callId: "c-1",
  attempts: 2,
  target: "deepseek",
  model: "deepseek-flash",
  cache: "miss",
  degraded: true,
  waitedMs: 12,
  firstTokenMs: 250,
  resumed: 1,
  usage,
  saved: usage,
  traceId: "t-1",
};
const failed: Ending = {
  status: "failed",
  fault: "upstream",
  scope: "host",
  retryable: true,
  retryAfterMs: 100,
  limit: 8,
  spent: true,
  usage,
  dispatchedAt: 1_000,
  firstTokenAt: 1_200,
  endedAt: 1_500,
  error,
};
const attempt = { attempt: 2, target: "deepseek", model: "deepseek-flash" } as const;
const policy = "host";

/** One event of each type, with everything in it that it can have. */
export const EVERY_EVENT: { readonly [T in EventType]: EventOf<T> } = {
  "account-close": { ...about, type: "account-close", account: "main", retryAfterMs: 60_000 },
  "account-low": { ...about, type: "account-low", account: "main", forMs: 60_000 },
  "account-open": { ...about, type: "account-open", account: "main" },
  "attempt-cost": {
    ...about,
    type: "attempt-cost",
    host: "deepseek",
    model: "deepseek-flash",
    category: "useful",
    usd: 0.001234,
    savedUsd: 0.002,
    estimated: false,
  },
  "attempt-end": { ...about, ...attempt, type: "attempt-end", ending: failed, startedAt: 1_000 },
  "attempt-start": { ...about, ...attempt, type: "attempt-start" },
  "breaker-close": { ...about, type: "breaker-close", policy, key: "k" },
  "breaker-half-open": { ...about, type: "breaker-half-open", policy, key: "k" },
  "breaker-open": { ...about, type: "breaker-open", policy, key: "k", openForMs: 30_000 },
  "cache-read": { ...about, type: "cache-read", policy, result: "hit" },
  "cache-refresh": { ...about, type: "cache-refresh", policy, ok: true },
  "call-end": {
    ...about,
    type: "call-end",
    attempts: 2,
    ending: failed,
    meta,
    startedAt: 500,
    tenant: "anna",
    priority: "interactive",
  },
  "call-refused": { ...about, type: "call-refused", refusal },
  "call-start": { ...about, type: "call-start", tenant: "anna", priority: "interactive", parent: 6 },
  "callback-throw": { ...about, type: "callback-throw", where: "listener", error: new TypeError("x") },
  "clock-ran-out": { ...about, type: "clock-ran-out", policy, clock: "idle", ms: 60_000 },
  "config-mismatch": { ...about, type: "config-mismatch", policy, ours: { limit: 5 }, holds: { limit: 3 } },
  "fallback-use": { ...about, type: "fallback-use", policy, to: "openrouter" },
  hint: { ...about, type: "hint", message: "cache: nothing is kept" },
  "key-disable": { ...about, type: "key-disable", account: "main", key: "ab12", retryAfterMs: 60_000 },
  "key-enable": { ...about, type: "key-enable", account: "main", key: "ab12" },
  "limit-change": { ...about, type: "limit-change", policy, key: "k", from: 10, to: 8 },
  "policy-change": {
    ...about,
    type: "policy-change",
    policy,
    kind: "circuit-breaker",
    by: "ada",
    change: { force: "open", key: "k" },
  },
  "queue-wait": { ...about, type: "queue-wait", policy, ms: 12 },
  "resume-stop": { ...about, type: "resume-stop", policy, because: "budget" },
  "retry-stop": { ...about, type: "retry-stop", policy, attempt: 3, because: "attempts" },
  "retry-wait": { ...about, type: "retry-wait", policy, attempt: 2, ms: 120.4 },
  "store-decide": { ...about, type: "store-decide", policy, kind: "rate-limit", source: "store", ms: 2 },
  "store-degrade": { ...about, type: "store-degrade", policy, kind: "rate-limit", to: "local" },
  "store-fail": { ...about, type: "store-fail", policy, error: new Error("no answer") },
  "store-recover": { ...about, type: "store-recover", policy, kind: "rate-limit" },
  "stream-resume": { ...about, type: "stream-resume", policy, resume: 1 },
  "would-refuse": { ...about, type: "would-refuse", refusal },
};

/** Something to watch that tells what a test says. */
export function teller(): Watchable & { readonly tell: (event: BreakwaterEvent) => void } {
  const listeners = new Set<Listener>();
  return {
    managed: () => [],
    on(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    tell(event) {
      const told = { ...event }; // each time it happens is an event of its own
      for (const listener of listeners) listener(told);
    },
  };
}
