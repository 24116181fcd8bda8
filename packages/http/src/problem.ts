import { STATUS_CODES } from "node:http";

import {
  BreakwaterError,
  type Failed,
  RefusedError,
  type Refusal,
  TimedOutError,
  UpstreamError,
} from "@breakwater/core";

/** An error as the browser is told it (RFC 9457). It never holds a key, a prompt, a stack or what the upstream said. */
export interface Problem {
  readonly type: "about:blank";
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Stable, for programs. */
  readonly code: string;
  readonly retryAfterMs?: number;
}

/** A problem together with the headers that go with it. */
export interface ProblemResponse {
  readonly problem: Problem;
  readonly headers: Readonly<Record<string, string>>;
}

const DETAILS: Readonly<Record<string, string>> = {
  RATE_LIMITED: "Too many requests.",
  BULKHEAD_FULL: "The service is busy.",
  QUEUE_TIMEOUT: "The service is busy: the request waited for its turn and did not get it.",
  CIRCUIT_OPEN: "The service that would answer is failing at the moment.",
  DEADLINE_TOO_SHORT: "The service is too busy to answer within the time that the request allows.",
  STORE_UNAVAILABLE: "The service cannot decide about requests at the moment.",
  DRAINING: "The service is shutting down.",
  CANCELLED: "The request was given up before it was answered.",
  TIMED_OUT: "There was no answer in time.",
  BODY_MISSING: "The request has no body; send one as application/json.",
  MALFORMED_BODY: "The body of the request is not valid JSON.",
  CONFIG: "The service is not configured correctly.",
  UPSTREAM_BUSY: "The service that would answer is asked too often at the moment.",
};
const BY_STATUS: Readonly<Record<number, string>> = {
  400: "The request was not accepted.",
  413: "The request is too large.",
  415: "The body of the request is not of a type that is read here; send application/json.",
  422: "The request was not accepted.",
  500: "Something went wrong here.",
  502: "The service that would answer has failed.",
  503: "The service is not available at the moment.",
};

/** @internal */
export function problem(
  status: number,
  code: string,
  retryAfterMs?: number,
  headers: Readonly<Record<string, string>> = {},
): ProblemResponse {
  return {
    problem: {
      type: "about:blank",
      title: STATUS_CODES[status] ?? "Error",
      status,
      detail: DETAILS[code] ?? BY_STATUS[status] ?? "The request failed.",
      code,
      ...(retryAfterMs !== undefined && { retryAfterMs: Math.ceil(retryAfterMs) }),
    },
    headers: {
      "x-breakwater-code": code,
      ...(retryAfterMs !== undefined && { "retry-after": String(seconds(retryAfterMs)) }),
      ...headers,
    },
  };
}

/** What is said of a stream that an error of the user's own has ended: what that says is nobody's business outside. */
export function streamFailed(): ProblemResponse {
  return problem(500, "STREAM_FAILED");
}

/** Rounded up: who comes back a moment too early is refused again. */
function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000));
}

/** A refusal is our own doing: the request was never sent upstream. */
export function problemOfRefusal({ by, code, retryAfterMs }: Refusal): ProblemResponse {
  // The caller's clock, and it would have run out in our queue: another try with more time may do.
  if (code === "DEADLINE_TOO_SHORT") return problem(504, code, retryAfterMs ?? SOON_MS);
  if (code !== "RATE_LIMITED") return problem(503, code, retryAfterMs ?? SOON_MS);
  const limit = `"${by.replaceAll(/[^ !#-[\]-~]/g, "?")}";r=0`;
  return retryAfterMs === undefined
    ? problem(429, code, SOON_MS, { ratelimit: limit })
    : problem(429, code, retryAfterMs, { ratelimit: `${limit};t=${seconds(retryAfterMs)}` });
}

/** When to come again, where nobody knows: a permit may be free at any moment. */
const SOON_MS = 1_000;

/** What a failed outcome is for the browser; `undefined` when its error is the user's own. */
export function problemOfFailure({
  error,
  fault,
}: Pick<Failed, "error" | "fault">): ProblemResponse | undefined {
  return UpstreamError.isInstance(error) ? problemOfUpstream(error, fault === "caller") : toProblem(error);
}

/** Statuses that an upstream gives to a request which is wrong in itself, and not to who sends it. */
const WRONG_IN_ITSELF: ReadonlySet<number> = new Set([400, 413, 422]);

type Told = Pick<UpstreamError, "code" | "status" | "retryAfterMs" | "retryable">;

/**
 * Our server is the upstream's client, so most of what the upstream finds wrong is no business of the browser's: that
 * our key is refused or our account empty is a plain 502. Only a request that was wrong in itself stays one.
 */
function problemOfUpstream(
  { code, status = 500, retryAfterMs, retryable }: Told,
  ofCaller = true,
): ProblemResponse {
  if (ofCaller && WRONG_IN_ITSELF.has(status)) return problem(status, code);
  if (!retryable) return problem(502, "UPSTREAM_FAILED");
  // Its limit is not one of ours, and hosts say 429 to an empty account as well.
  if (status === 429) return problem(503, "UPSTREAM_BUSY", retryAfterMs ?? SOON_MS);
  return problem(502, code, retryAfterMs);
}

/**
 * What an error is for the browser: status, headers and a body. Knows our errors, also inside the error that an SDK
 * made of them (`cause`, or the response of a Breakwater fetch). `undefined` when the error is not ours.
 */
export function toProblem(error: unknown): ProblemResponse | undefined {
  // Bounded, since a chain of causes may be a circle.
  for (let depth = 0, at = error; depth < 8 && typeof at === "object" && at !== null; depth++) {
    const found = BreakwaterError.isInstance(at) ? problemOfOurs(at) : problemOfResponse(at);
    if (found !== undefined) return found;
    const { cause, lastError } = at as SdkError;
    at = cause ?? lastError;
  }
  return undefined;
}

function problemOfOurs(error: BreakwaterError): ProblemResponse {
  if (RefusedError.isInstance(error)) return problemOfRefusal(error.refusal);
  if (TimedOutError.isInstance(error)) return problem(504, error.code);
  if (UpstreamError.isInstance(error)) return problemOfUpstream(error);
  if (error.code === "STORE_UNAVAILABLE") return problem(503, error.code, SOON_MS);
  return problem(500, error.code);
}

/** How openai, the AI SDK and their kin keep the response that they were given. */
interface SdkError {
  readonly status?: unknown;
  readonly statusCode?: unknown;
  readonly headers?: HeaderBag;
  readonly responseHeaders?: HeaderBag;
  readonly cause?: unknown;
  readonly lastError?: unknown;
  /** What our fetch said in the middle of a stream, when there was no status to be had any more. */
  readonly type?: unknown;
  readonly code?: unknown;
}
type HeaderBag = Headers | Readonly<Record<string, unknown>> | undefined;

function problemOfResponse(error: SdkError): ProblemResponse | undefined {
  const headers = error.headers ?? error.responseHeaders;
  const inBand = error.type === "breakwater_error" ? error.code : undefined;
  const code = inBand ?? header(headers, "x-breakwater-code");
  if (typeof code !== "string" || !/^[A-Z][A-Z0-9_]{1,63}$/.test(code)) return undefined;
  const status = Number(error.status ?? error.statusCode);
  const retryAfterMs = retryAfter(headers);
  if (code === "TIMED_OUT") return problem(504, code);
  if (code === "CONFIG") return problem(500, code);
  if (Object.hasOwn(DETAILS, code))
    return problemOfRefusal(withRetry({ by: "upstream", code }, retryAfterMs));
  // All that is temporary; what is not is about our key, our account or our model.
  const retryable = status >= 500 || status === 408 || status === 409 || status === 429;
  return problemOfUpstream({ code, status, retryAfterMs, retryable });
}

function withRetry(refusal: Refusal, retryAfterMs: number | undefined): Refusal {
  return retryAfterMs === undefined ? refusal : { ...refusal, retryAfterMs };
}

function retryAfter(headers: HeaderBag): number | undefined {
  const ms = Number(header(headers, "retry-after-ms") ?? Number.NaN);
  if (Number.isFinite(ms)) return ms;
  const s = Number(header(headers, "retry-after") ?? Number.NaN);
  return Number.isFinite(s) ? s * 1_000 : undefined;
}

function header(headers: HeaderBag, name: string): string | undefined {
  const value = headers instanceof Headers ? headers.get(name) : headers?.[name];
  return typeof value === "string" ? value : undefined;
}
