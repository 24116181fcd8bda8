import {
  type Client,
  type Outcome,
  type Runtime,
  type Snapshot,
  systemRuntime,
  unwrap,
  type Watchable,
} from "@breakwater/core";

import { asStream } from "./as-stream.ts";
import { type ErrorMode, isThrown, thrownBySelf } from "./error-mode.ts";
import { bodyText, type FetchRequest, isCompletion, isFimPath, readFetchArgs } from "./fetch-request.ts";
import { errorResponse, metaHeaders, SSE_HEADERS } from "./http/respond.ts";
import { sseBody } from "./http/sse-body.ts";
import { errorEvent } from "./http/told.ts";
import { parseChat, parseFim } from "./parse-chat.ts";
import { rawOf, rememberWire } from "./raw.ts";
import { responseOf } from "./status-upstream.ts";
import type { Fetch } from "./transport.ts";
import { type ChatAnswer, type ChatRequest, isStream } from "./types.ts";

/** The clients behind a fetch: one for chats, one for everything else. */
export interface FetchClients {
  readonly chat: Client<ChatRequest, ChatAnswer>;
  readonly other: Client<FetchRequest, Response>;
}

export interface Managing extends Watchable {
  snapshot(): readonly Snapshot[];
  /** Refuses new calls, and waits for those in flight. */
  close(): Promise<void>;
}

/** @internal A fetch over clients that are found for each request. */
export function createFetch(
  clientsFor: (request: FetchRequest) => FetchClients,
  errorMode: ErrorMode,
  runtime: Runtime = systemRuntime(),
): Fetch {
  return async (...args) => {
    const request = readFetchArgs(...args);
    const { chat, other } = clientsFor(request);
    const throws = isThrown(errorMode, request.headers);
    if (!isCompletion(request)) return passThrough(other, request, throws);
    const body = await bodyText(request);
    const parsed = isFimPath(request) ? parseFim(body) : parseChat(body);
    if (parsed === undefined) {
      const [input, init] = request.args;
      return passThrough(other, { ...request, args: [input, { ...init, body }] }, throws);
    }
    rememberWire(parsed, { body, url: request.url.href, headers: request.headers });
    const outcome = await chat.outcome(parsed, { signal: request.signal });
    return respond(outcome, parsed, throws, runtime);
  };
}

async function passThrough(
  client: Client<FetchRequest, Response>,
  request: FetchRequest,
  throws: boolean,
): Promise<Response> {
  const outcome = await client.outcome(request, { signal: request.signal });
  if (outcome.status !== "failed")
    return outcome.status === "refused" ? refuse(outcome, throws) : unwrap(outcome);
  const response = responseOf(outcome.error);
  if (response === undefined) return refuse(outcome, throws);
  const headers = new Headers(response.headers);
  headers.set("x-should-retry", "false");
  const { body, status, statusText } = response;
  return new Response(body, { status, statusText, headers });
}

function respond(
  outcome: Outcome<ChatAnswer>,
  request: ChatRequest,
  throws: boolean,
  runtime: Runtime,
): Response {
  if (outcome.status === "cancelled") return unwrap(outcome);
  if (outcome.status !== "answered") return refuse(outcome, throws);
  const { end, meta, value } = outcome;
  const headers = metaHeaders(meta, "owner");
  if (request.stream !== true && !isStream(value)) {
    return new Response(rawOf(value), { headers: { ...headers, "content-type": "application/json" } });
  }
  const body = sseBody(
    { chunks: asStream(value, request)[Symbol.asyncIterator](), end },
    {
      runtime,
      // An abort breaks the body off, as it does with any fetch; a failure is told in band.
      inBand: (error, ending) =>
        throws || ending?.status === "cancelled" ? undefined : errorEvent(error, "owner"),
    },
  );
  return new Response(body, { headers: { ...headers, ...SSE_HEADERS } });
}

function refuse(
  outcome: Exclude<Outcome<unknown>, { status: "answered" | "cancelled" }>,
  throws: boolean,
): Response {
  if (!throws) return errorResponse(outcome, "owner");
  if (outcome.status === "failed") thrownBySelf(outcome.error);
  return unwrap<never>(outcome);
}
