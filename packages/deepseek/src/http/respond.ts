import type { Failed, Meta, Refused, UpstreamError } from "@breakwater/core";

import { errorAnswerOf } from "../raw.ts";
import { type Audience, errorBody, guestStatus, tell, type Told } from "./told.ts";

export const SSE_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  // Else nginx collects the stream before it passes it on.
  "x-accel-buffering": "no",
};

/** What is known of a call, as headers. */
export function metaHeaders(meta: Meta, audience: Audience): Record<string, string> {
  const known: Record<string, string | undefined> = {
    "x-request-id": meta.callId,
    "x-breakwater-call-id": meta.callId,
    "x-breakwater-attempts": String(meta.attempts),
    "x-breakwater-cache": meta.cache,
    "x-breakwater-degraded": meta.degraded === true ? "true" : undefined,
    ...(audience === "owner" && { "x-breakwater-target": meta.target, "x-ds-trace-id": meta.traceId }),
  };
  const safe = Object.entries(known).filter(
    ([, value]) => value !== undefined && /^[\x20-\x7e]+$/.test(value),
  );
  return Object.fromEntries(safe) as Record<string, string>;
}

/** A response for what was not answered. The host's own words stay untouched for the owner. */
export function errorResponse(outcome: Failed | Refused, audience: Audience): Response {
  const told = tell(outcome, audience);
  const headers = { ...metaHeaders(outcome.meta, audience), ...errorHeaders(told) };
  const error = outcome.status === "failed" ? outcome.error : undefined;
  const said = audience === "owner" && isObject(error) ? errorAnswerOf(error as UpstreamError) : undefined;
  if (said !== undefined) {
    const type = said.contentType === null ? {} : { "content-type": said.contentType };
    return new Response(said.text, { status: said.status, headers: { ...headers, ...type } });
  }
  const status = audience === "guest" ? guestStatus(told) : told.status;
  return new Response(errorBody(told), {
    status,
    headers: { ...headers, "content-type": "application/json" },
  });
}

/** A response to a request that was not even tried. */
export function refusal(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Response {
  const type = status < 500 ? "invalid_request_error" : "breakwater_error";
  return new Response(errorBody({ code, message, type }), {
    status,
    headers: {
      "content-type": "application/json",
      "x-should-retry": "false",
      "x-breakwater-code": code,
      ...headers,
    },
  });
}

/** SDKs with retries of their own are told not to: all that was worth trying has been tried. */
function errorHeaders({ code, retryAfterMs }: Told): Record<string, string> {
  const headers = { "x-should-retry": "false", "x-breakwater-code": code };
  return retryAfterMs === undefined
    ? headers
    : { ...headers, "retry-after": String(Math.ceil(retryAfterMs / 1_000)) };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
