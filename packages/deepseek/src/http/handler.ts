import {
  type CallOptions,
  type Client,
  ConfigError,
  type Duration,
  isPromise,
  type MaybePromise,
  type Outcome,
  type Priority,
  readOptions,
  type Runtime,
  systemRuntime,
} from "@breakwater/core";

import { asStream } from "../as-stream.ts";
import { parseChat } from "../parse-chat.ts";
import { rawOf, rememberWire } from "../raw.ts";
import { type ChatAnswer, type ChatRequest, isStream } from "../types.ts";
import { readBody } from "./read-body.ts";
import { errorResponse, metaHeaders, refusal, SSE_HEADERS } from "./respond.ts";
import { type Feed, sseBody } from "./sse-body.ts";
import { errorBody, errorEvent, tell } from "./told.ts";

/** Who calls. */
export interface Principal {
  /** Whose calls these are: caches, limits and queues can be kept apart by it. */
  readonly tenant: string;
  /** @default "interactive" */
  readonly priority?: Priority;
}

export interface HandlerOptions {
  /**
   * Says who may call: a function that gives a principal or `false`, or the word `"public"`. Required, since whoever
   * gets in spends your money. What it throws is thrown by the handler, and nobody gets in.
   */
  readonly authorize: "public" | ((request: Request) => MaybePromise<Principal | false>);
  /** Largest body, in bytes. @default 1_048_576 */
  readonly bodyLimit?: number;
  /**
   * How long a streamed answer may keep its client waiting for the status. While it waits, a failure still gets a real
   * status; after that 200 is sent, keep-alives follow, and a failure is an event. Shorter than the limits of
   * whatever stands in front. @default "15s"
   */
  readonly holdHeaders?: Duration;
  /** How often a stream without news says `: keep-alive`. @default "12s" */
  readonly keepAlive?: Duration;
}

/** @internal The router of `DeepSeek.handler`. */
export function createHandler(
  client: Client<ChatRequest, ChatAnswer>,
  models: readonly string[],
  runtime: Runtime = systemRuntime(),
  options: HandlerOptions,
): (request: Request) => Promise<Response> {
  const { authorize, bodyLimit, holdHeadersMs, keepAliveMs } = read(options);

  async function chat(request: Request, principal: Principal | undefined): Promise<Response> {
    const body = await readBody(request, bodyLimit);
    if (body instanceof Response) return body;
    const parsed = parseChat(body);
    if (parsed === undefined)
      return refusal(400, "INVALID_REQUEST", "The body must be a JSON object with a list of messages.");
    rememberWire(parsed, { body });

    // The client may leave in two ways: its request is aborted, or nobody reads the answer any more.
    const leaving = new AbortController();
    const leave = (reason: unknown): void => leaving.abort(reason);
    const { signal } = request;
    const onAbort = (): void => leave(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    const asked = client.outcome(parsed, callOptions(request, principal, leaving.signal));
    void ended(asked).then(() => signal.removeEventListener("abort", onAbort));

    if (parsed.stream !== true) return jsonResponse(await asked);
    const outcome = await orLate(asked);
    if (outcome === undefined) {
      const feed = Promise.resolve(asked).then((late) => feedOf(late, parsed));
      return sseResponse({}, feed, leave);
    }
    if (outcome.status !== "answered") return jsonResponse(outcome);
    return sseResponse(metaHeaders(outcome.meta, "guest"), feedOf(outcome, parsed), leave);
  }

  /** The outcome, or undefined when it is not there in time. */
  function orLate(asked: MaybePromise<Outcome<ChatAnswer>>): MaybePromise<Outcome<ChatAnswer> | undefined> {
    if (!isPromise(asked)) return asked;
    return new Promise((resolve, reject) => {
      const cancel = runtime.setTimer(holdHeadersMs, () => resolve(undefined));
      asked.finally(cancel).then(resolve, reject);
    });
  }

  function sseResponse(
    headers: Record<string, string>,
    feed: Feed | Promise<Feed>,
    onCancel: (reason: unknown) => void,
  ): Response {
    const inBand = (error: unknown): string => errorEvent(error, "guest");
    const body = sseBody(feed, { runtime, keepAliveMs, inBand, onCancel });
    return new Response(body, { headers: { ...headers, ...SSE_HEADERS } });
  }

  return async (request) => {
    const { pathname } = new URL(request.url);
    const route = ROUTES.find(({ path }) => path.test(pathname));
    if (route === undefined) return refusal(404, "NOT_FOUND", "There is nothing at this path.");
    const principal = authorize === "public" ? undefined : await authorize(request);
    if (principal === false) return refusal(401, "UNAUTHORIZED", "The key is missing or wrong.");
    if (request.method !== route.method) {
      return refusal(405, "METHOD_NOT_ALLOWED", `Only ${route.method} is allowed here.`, {
        allow: route.method,
      });
    }
    if (route.method === "POST") return chat(request, principal);
    const data = models.map((id) => ({ id, object: "model", owned_by: "deepseek" }));
    return Response.json({ object: "list", data });
  };
}

const ROUTES = [
  { path: /^(\/v1)?\/chat\/completions\/?$/, method: "POST" },
  { path: /^(\/v1)?\/models\/?$/, method: "GET" },
] as const;

/** When nothing is left to be ended. */
async function ended(asked: MaybePromise<Outcome<ChatAnswer>>): Promise<void> {
  const outcome = await asked;
  if (outcome.status === "answered") await outcome.end;
}

function callOptions(request: Request, principal: Principal | undefined, signal: AbortSignal): CallOptions {
  const callId = request.headers.get("x-request-id");
  return {
    signal,
    ...(principal !== undefined && { tenant: principal.tenant, priority: principal.priority }),
    // It comes from outside and goes into logs: letters, digits and a bound.
    ...(callId !== null && /^[\w.:-]{1,128}$/.test(callId) && { callId }),
  };
}

function feedOf(outcome: Outcome<ChatAnswer>, request: ChatRequest): Feed {
  switch (outcome.status) {
    case "answered":
      return { chunks: asStream(outcome.value, request)[Symbol.asyncIterator](), end: outcome.end };
    case "cancelled":
      return { event: errorEvent(outcome.reason, "guest") };
    default:
      return { event: `data: ${errorBody({ ...tell(outcome, "guest"), type: "breakwater_error" })}\n\n` };
  }
}

function jsonResponse(outcome: Outcome<ChatAnswer>): Response {
  switch (outcome.status) {
    case "answered": {
      const headers = { ...metaHeaders(outcome.meta, "guest"), "content-type": "application/json" };
      return new Response(isStream(outcome.value) ? null : rawOf(outcome.value), { headers });
    }
    case "cancelled":
      return refusal(503, "CANCELLED", "The request was given up before it was answered.");
    default:
      return errorResponse(outcome, "guest");
  }
}

function read(options: HandlerOptions) {
  const reader = readOptions("deepseek.handler", options);
  const authorize = reader.raw<HandlerOptions["authorize"]>("authorize");
  if (authorize !== "public" && typeof authorize !== "function") {
    throw new ConfigError(
      'deepseek.handler: authorize is required: a function that gives { tenant } or false, or "public" if really everybody may call.',
    );
  }
  const config = {
    authorize,
    bodyLimit: reader.count("bodyLimit", 1_048_576),
    holdHeadersMs: reader.duration("holdHeaders", 15_000),
    keepAliveMs: reader.duration("keepAlive", 12_000),
  };
  reader.done();
  return config;
}
