import { type Fault, type Meta, type Scope, UpstreamError, type Verdict } from "@breakwater/core";

import { parseLeniently } from "./error-body.ts";
import { redact } from "./redact.ts";

/** What went wrong upstream, as `UpstreamError.code` says it. */
export type DeepSeekErrorCode =
  | "QUOTA"
  | "AUTH"
  | "RATE_LIMIT"
  | "CONTEXT_WINDOW"
  | "MODEL_NOT_FOUND"
  | "INVALID_REQUEST"
  | "TIMEOUT"
  | "OVERLOADED"
  | "SERVER"
  | BrokenCode;

/** What an error answer says of itself. `code` is not asked: DeepSeek writes invalid_request_error there even for a 429. */
export interface ErrorFacts {
  readonly status: number;
  readonly type: string;
  readonly message: string;
}

interface ErrorClass {
  readonly code: DeepSeekErrorCode;
  readonly fault: Fault;
  readonly retryable: boolean;
  readonly scope?: Scope;
}

interface Rule extends ErrorClass {
  readonly when: (facts: ErrorFacts) => boolean;
}

const between = (from: number, to: number) => (facts: ErrorFacts) =>
  facts.status >= from && facts.status <= to;
const is =
  (...statuses: readonly number[]) =>
  (facts: ErrorFacts) =>
    statuses.includes(facts.status);

const NO_MONEY = /insufficient[ _](balance|quota|credit|funds)|exceeded your current quota/i;
const TOO_LONG = /maximum context length|context[ _](length|window)[ _](is )?exceeded/i;
const NO_MODEL = /model[ _]not[ _](exist|found)|model .*(does not exist|not found)/i;
const BUSY = /overloaded|service_unavailable|too busy/i;

/**
 * Error answers, the first rule that holds: by status, then type, then message. This is the only place in which they
 * are judged.
 */
const RULES: readonly Rule[] = [
  {
    // Before RATE_LIMIT: some hosts say 429 to an empty account.
    when: (facts) => facts.status === 402 || NO_MONEY.test(facts.type) || NO_MONEY.test(facts.message),
    code: "QUOTA",
    fault: "upstream",
    retryable: false,
    scope: "account",
  },
  { when: is(401, 403), code: "AUTH", fault: "caller", retryable: false, scope: "key" },
  { when: is(429), code: "RATE_LIMIT", fault: "overload", retryable: true, scope: "account" },
  {
    when: (facts) => is(400, 413, 422)(facts) && TOO_LONG.test(facts.message),
    code: "CONTEXT_WINDOW",
    fault: "caller",
    retryable: false,
    scope: "model",
  },
  {
    when: (facts) => is(400, 404)(facts) && NO_MODEL.test(facts.message),
    code: "MODEL_NOT_FOUND",
    fault: "caller",
    retryable: false,
    scope: "model",
  },
  { when: is(408), code: "TIMEOUT", fault: "upstream", retryable: true },
  { when: is(409, 425), code: "SERVER", fault: "upstream", retryable: true },
  { when: between(400, 499), code: "INVALID_REQUEST", fault: "caller", retryable: false },
  { when: is(501, 505), code: "SERVER", fault: "upstream", retryable: false },
  {
    when: (facts) => is(503, 529)(facts) || BUSY.test(facts.type) || BUSY.test(facts.message),
    code: "OVERLOADED",
    fault: "upstream",
    retryable: true,
  },
  { when: () => true, code: "SERVER", fault: "upstream", retryable: true },
];

/** Answers that are wrong under a status that says they are right. Before the first token all of them may be retried. */
const BROKEN: Readonly<Record<BrokenCode, { readonly says: string; readonly scope?: Scope }>> = {
  EMPTY_BODY: { says: "answered 200 and nothing else" },
  EMPTY_RESPONSE: { says: "finished without content, reasoning or tool calls" },
  QUEUE_TIMEOUT: { says: "let the call wait in its queue, and gave it up" },
  STREAM_TRUNCATED: { says: "ended the stream without finishing the answer" },
  UPSTREAM_INTERRUPTED: { says: "interrupted the answer" },
  MALFORMED_RESPONSE: { says: "sent what cannot be parsed" },
  WRONG_CONTENT_TYPE: { says: "sent another content type than was asked for", scope: "host" },
  TRANSPORT: { says: "could not be reached, or the connection broke", scope: "host" },
};

export type BrokenCode =
  | "EMPTY_BODY"
  | "EMPTY_RESPONSE"
  | "QUEUE_TIMEOUT"
  | "STREAM_TRUNCATED"
  | "UPSTREAM_INTERRUPTED"
  | "MALFORMED_RESPONSE"
  | "WRONG_CONTENT_TYPE"
  | "TRANSPORT";

function classify(facts: ErrorFacts): ErrorClass {
  const { when: _, ...found } = RULES.find((rule) => rule.when(facts)) as Rule;
  return found;
}

/** Why the host limits the rate, as `UpstreamError.reason` says it: the first pattern that its message fits. */
export type RateLimitReason = "balance" | "tpm" | "rpm" | "concurrency" | "upstream";

const REASONS: readonly (readonly [RateLimitReason, RegExp])[] = [
  // "… your concurrency limit of 25 based on your remaining balance": of both, the one that a top-up mends.
  ["balance", /remaining balance|top up/i],
  ["tpm", /\btpm\b|tokens per minute/i],
  ["rpm", /\brpm\b|requests per minute/i],
  ["concurrency", /concurren/i],
];

function reasonOf(message: string): RateLimitReason {
  return REASONS.find(([, pattern]) => pattern.test(message))?.[0] ?? "upstream";
}

/** "… which exceeds your concurrency limit of 25 …" */
function limitOf(message: string): number | undefined {
  const match = /concurrency limit of (\d{1,9})\b/i.exec(message);
  return match === null ? undefined : Number(match[1]);
}

/** An error together with its verdict: what a failed outcome is made of. */
export interface Failure {
  readonly error: UpstreamError;
  readonly verdict: Verdict;
}

export interface FailureContext {
  /** Name of the host, for the message. */
  readonly target: string;
  /** The key, to be taken out of what the host says. */
  readonly key?: string | undefined;
  readonly meta?: Meta | undefined;
  readonly traceId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly body?: unknown;
  /** Whether inference may have begun; undefined where nobody knows. */
  readonly spent?: boolean;
  /** Whether another key, or another account, would take the call. */
  readonly elsewhere?: ((scope: "key" | "account") => boolean) | undefined;
}

export function errorFailure(facts: ErrorFacts, context: FailureContext): Failure {
  const { code, fault, scope, ...found } = classify(facts);
  const { target, meta, retryAfterMs, traceId, key, elsewhere } = context;
  const spent = context.spent ?? (RAN_OUT.has(facts.status) ? undefined : false);
  const retryable =
    found.retryable || ((code === "QUOTA" || code === "AUTH") && elsewhere?.(scopeOf(code)) === true);
  const body =
    context.body === undefined ? undefined : parseLeniently(redact(JSON.stringify(context.body), key));
  const message = redact(facts.message, key);
  const said = message === "" ? "" : `: ${message.slice(0, 1_000)}`;
  const limit = code === "RATE_LIMIT" ? limitOf(facts.message) : undefined;
  return {
    error: new UpstreamError(code, `${target} answered ${facts.status} (${code})${said}`, {
      status: facts.status,
      ...(code === "RATE_LIMIT" && { reason: reasonOf(facts.message) }),
      retryAfterMs,
      traceId,
      body,
      retryable,
      meta,
    }),
    verdict: {
      fault,
      retryable,
      ...(scope !== undefined && { scope }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      ...(limit !== undefined && { limit }),
      ...(spent !== undefined && { spent }),
    },
  };
}

/** Said when inference took too long; any other status comes in its place. */
const RAN_OUT: ReadonlySet<number> = new Set([408, 504, 524]);

function scopeOf(code: "QUOTA" | "AUTH"): "key" | "account" {
  return code === "AUTH" ? "key" : "account";
}

export function brokenFailure(
  code: BrokenCode,
  context: FailureContext,
  more: { readonly detail?: string; readonly cause?: unknown } = {},
): Failure {
  const { says, scope } = BROKEN[code];
  const { target, meta, traceId, body, spent } = context;
  const detail = more.detail === undefined ? "" : ` (${more.detail})`;
  return {
    error: new UpstreamError(code, `${target} ${says}${detail}`, {
      traceId,
      body,
      retryable: true,
      meta,
      ...("cause" in more && { cause: more.cause }),
    }),
    verdict: {
      fault: "upstream",
      retryable: true,
      ...(scope !== undefined && { scope }),
      ...(spent !== undefined && { spent }),
    },
  };
}
