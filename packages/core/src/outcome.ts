import type { StoreSource } from "./store.ts";

/** Tokens, as reported by the upstream or estimated. Any number of extra fields may travel along. */
export interface Usage {
  readonly promptTokens?: number;
  readonly completionTokens?: number;
  readonly totalTokens?: number;
  /** Whether these were estimated rather than reported. */
  readonly estimated?: boolean;
}

/** Whose doing a failure is: the upstream's, its load's (429), or the caller's (a 400). Only the first moves a breaker. */
export type Fault = "upstream" | "overload" | "caller";

/** What a failure is true of: a 401 of the key, a 402 of the account, a 404 of the model, a reset of the host. */
export type Scope = "key" | "account" | "model" | "host";

/** Why a call was not sent. Plain data until somebody throws it: refusing is the hot path of a bad evening. */
export interface Refusal {
  /** Name of the policy that refused. */
  readonly by: string;
  readonly code: RefusalCode;
  /** When to come again, if that is known. */
  readonly retryAfterMs?: number;
  /** Of the limit that was in the way: how much it lets pass, … */
  readonly limit?: number;
  /** … what is left of that, which is less than the call asked for, … */
  readonly remaining?: number;
  /** … and ms until all of it is there again. For `RateLimit` headers. */
  readonly resetMs?: number;
  /** Over a shared store that could not decide: who did in its place. */
  readonly source?: StoreSource;
}

export type RefusalCode =
  | "RATE_LIMITED"
  | "BULKHEAD_FULL"
  | "QUEUE_TIMEOUT"
  | "CIRCUIT_OPEN"
  | "DEADLINE_TOO_SHORT"
  | "STORE_UNAVAILABLE"
  | "DRAINING"
  | (string & {});

/** What is known of a call beside its answer. One object per call, shared by all of its attempts. */
export interface Meta {
  readonly callId: string;
  /** How often the upstream was really asked; 0 for a refusal and for a cache hit. */
  attempts: number;
  target?: string;
  model?: string;
  cache?: "miss" | "hit" | "stale" | "join";
  /** Whether the answer is not the one that was asked for: a fallback's, or a stale one. */
  degraded?: boolean;
  /** Time in our own queues and limiters. */
  waitedMs?: number;
  firstTokenMs?: number;
  /** How often a stream that broke off was continued. */
  resumed?: number;
  usage?: Usage;
  /** Where a cache gave the answer, or a shared attempt did: what that took when it was made. This call used none of it. */
  saved?: Usage;
  traceId?: string;
}

export interface Answered<T> {
  readonly status: "answered";
  readonly value: T;
  readonly meta: Meta;
  /** Present while a stream is still being produced: resolves, and never rejects, when it is really over. */
  readonly end?: Promise<Ending>;
}

export interface Failed {
  readonly status: "failed";
  readonly error: unknown;
  readonly fault: Fault;
  /** Whether the same call may succeed if it is made again. Decided where the status is known, never parsed later. */
  readonly retryable: boolean;
  readonly scope?: Scope;
  readonly retryAfterMs?: number;
  /** A concurrency limit that the upstream named in its refusal. */
  readonly limit?: number;
  /** Whether inference may have begun, so that tokens may have been spent. */
  readonly spent?: boolean;
  readonly meta: Meta;
}

export interface Refused {
  readonly status: "refused";
  readonly refusal: Refusal;
  readonly meta: Meta;
}

export interface Cancelled {
  readonly status: "cancelled";
  /** The caller's own `signal.reason`, unchanged. */
  readonly reason: unknown;
  readonly meta: Meta;
}

/**
 * What a call came to. Refused is not failed (it was never sent), cancelled is not failed (nobody's fault):
 * neither moves a breaker, spends a retry or feeds a limiter.
 */
export type Outcome<T> = Answered<T> | Failed | Refused | Cancelled;

/** What a call finally came to: for a stream, after its last token. Given to `call.defer` and `call.hold`. */
export interface Ending {
  readonly status: Outcome<unknown>["status"];
  /** What was thrown, the refusal, or the reason of a cancellation. */
  readonly error?: unknown;
  readonly fault?: Fault;
  readonly scope?: Scope;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly limit?: number;
  readonly usage?: Usage;
  readonly spent?: boolean;
  /** When it left for the upstream; absent if it never did. On the runtime's monotonic clock, in ms. */
  readonly dispatchedAt?: number;
  readonly firstTokenAt?: number;
  readonly endedAt: number;
}

export function answered<T>(value: T, meta: Meta, end?: Promise<Ending>): Answered<T> {
  return end === undefined ? { status: "answered", value, meta } : { status: "answered", value, meta, end };
}

export function refused(refusal: Refusal, meta: Meta): Refused {
  return { status: "refused", refusal, meta };
}

export function cancelled(reason: unknown, meta: Meta): Cancelled {
  return { status: "cancelled", reason, meta };
}

/** What an error says of itself when it becomes an outcome. */
export type Verdict = Pick<Failed, "fault" | "retryable"> &
  Partial<Pick<Failed, "scope" | "retryAfterMs" | "limit" | "spent">>;

export function failed(error: unknown, verdict: Verdict, meta: Meta): Failed {
  return { ...verdict, status: "failed", error, meta };
}
