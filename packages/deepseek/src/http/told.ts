import {
  BreakwaterError,
  type Failed,
  type Refused,
  StoreError,
  TimedOutError,
  UpstreamError,
} from "@breakwater/core";

import { readErrorBody } from "../error-body.ts";

/**
 * Who reads an error: whoever owns the key, or somebody who was let in by a router and must learn nothing of keys,
 * accounts and hosts that are not his.
 */
export type Audience = "owner" | "guest";

/** An outcome without an answer, as OpenAI's API would tell it. */
export interface Told {
  readonly status: number;
  readonly code: string;
  readonly type: string;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
}

const REFUSALS: Readonly<Record<string, readonly [status: number, says: string]>> = {
  RATE_LIMITED: [429, "Too many requests."],
  BULKHEAD_FULL: [503, "The service is busy."],
  QUEUE_TIMEOUT: [503, "The service is busy: the request waited for its turn and did not get it."],
  CIRCUIT_OPEN: [503, "The service that would answer is failing at the moment."],
  DEADLINE_TOO_SHORT: [504, "The service is too busy to answer within the time that the request allows."],
  QUOTA_EXHAUSTED: [402, "There is no credit left to pay for an answer."],
  KEYS_DISABLED: [401, "The service does not take the key that was used."],
  STORE_UNAVAILABLE: [503, "The service cannot decide about requests at the moment."],
  DRAINING: [503, "The service is shutting down."],
};

const GUESTS: Readonly<Record<string, string>> = {
  // The service's key, which a guest would take for his own.
  KEYS_DISABLED: "The service cannot ask the model at the moment.",
  RATE_LIMIT: "The model is asked too often at the moment.",
  OVERLOADED: "The model is overloaded at the moment.",
  TIMED_OUT: "There was no answer in time.",
  STREAM_TRUNCATED: "The answer broke off.",
  UPSTREAM_INTERRUPTED: "The answer was interrupted.",
};

export function tell(outcome: Failed | Refused, audience: Audience): Told {
  if (outcome.status === "failed") return tellFailure(outcome, audience);
  const { by, code, retryAfterMs } = outcome.refusal;
  const [status, says] = REFUSALS[code] ?? [503, "The request was refused."];
  const message = audience === "guest" ? (GUESTS[code] ?? says) : `${says} (${code}, refused by ${by})`;
  return { status, code, type: typeOf(status), message, retryAfterMs };
}

/** The same for an error that is thrown in the middle of a stream. */
function tellError(error: unknown, audience: Audience): Told {
  return audience === "guest"
    ? { ...ofError(error), message: guestMessage(ofError(error), error) }
    : ofError(error);
}

function tellFailure({ error, retryAfterMs }: Failed, audience: Audience): Told {
  return { ...tellError(error, audience), retryAfterMs };
}

function ofError(error: unknown): Told {
  if (UpstreamError.isInstance(error)) {
    const { code, message, status = 502 } = error;
    return { status, code, type: typeOf(status), message };
  }
  if (!BreakwaterError.isInstance(error)) {
    const message = error instanceof Error ? error.message : "An error that is none was thrown.";
    return { status: 500, code: "INTERNAL", type: typeOf(500), message };
  }
  const status = TimedOutError.isInstance(error) ? 504 : StoreError.isInstance(error) ? 503 : 500;
  return { status, code: error.code, type: typeOf(status), message: error.message };
}

/** What the host says of a request, its author may read; what it says of our key or account, he may not. */
function guestMessage(told: Told, error: unknown): string {
  const his =
    UpstreamError.isInstance(error) &&
    told.status < 500 &&
    !["AUTH", "QUOTA", "RATE_LIMIT"].includes(told.code);
  const said = his ? readErrorBody(error.body).message : "";
  return said !== "" ? said : (GUESTS[told.code] ?? "The request could not be answered.");
}

/**
 * A refused key is the service's own misfortune: to a guest, 401 would mean his key. 402 he is told, whatever the host
 * said to it: of all statuses it is the one that no client tries again.
 */
export function guestStatus({ code, status }: Told): number {
  if (code === "QUOTA") return 402;
  return code === "AUTH" || code === "KEYS_DISABLED" ? 502 : status;
}

function typeOf(status: number): string {
  return status === 429 ? "rate_limit_error" : status < 500 ? "invalid_request_error" : "breakwater_error";
}

export function errorBody({ message, type, code }: Pick<Told, "message" | "type" | "code">): string {
  return JSON.stringify({ error: { message, type, param: null, code } });
}

/** What the reader of a stream gets instead of its rest. There is no [DONE] behind it, so nobody takes the answer for whole. */
export function errorEvent(error: unknown, audience: Audience): string {
  return `data: ${errorBody({ ...tellError(error, audience), type: "breakwater_error" })}\n\n`;
}
