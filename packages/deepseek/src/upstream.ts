import {
  answered,
  type Call,
  ConfigError,
  failed,
  type MaybePromise,
  type Outcome,
  type Refusal,
  refused,
  relay,
  type Upstream,
  type UpstreamTraits,
} from "@breakwater/core";

import type { Lease } from "./accounts/book.ts";
import { ACCOUNT_OF } from "./accounts/index.ts";
import { checkKey } from "./accounts/options.ts";
import { bodyFor, modelFor, modelMeant } from "./body.ts";
import { canonicalKey } from "./canonical-key.ts";
import { brokenFailure, errorFailure, type Failure, type FailureContext } from "./classify.ts";
import { codec } from "./codec.ts";
import { accounted, accountForCache } from "./costs/watch.ts";
import { embeddedFacts, isErrorBody, parseLeniently, readErrorBody } from "./error-body.ts";
import { isFim } from "./fim.ts";
import { readJsonAnswer, readStreamedAnswer } from "./json-answer.ts";
import { type KnowsModel, MODEL_OF } from "./model-of.ts";
import { rememberErrorAnswer, wireOf } from "./raw.ts";
import { readText } from "./read-text.ts";
import { redact } from "./redact.ts";
import { isContinuation } from "./resume/continuation.ts";
import { CONTINUES } from "./resume/continues.ts";
import { retryAfterOf } from "./retry-after.ts";
import { type ChunkSource, createChunkSource } from "./stream-source.ts";
import { createTokenMeter, NOTHING, type TokenMeter } from "./tokens/meter.ts";
import { transportFailure } from "./transport-failure.ts";
import { defaultFetch } from "./transport.ts";
import type { ChatAnswer, ChatCompletion, ChatRequest } from "./types.ts";
import {
  type DeepSeekUpstreamOptions,
  readUpstreamOptions,
  type UpstreamConfig,
} from "./upstream-options.ts";

/**
 * DeepSeek as an upstream: one HTTP attempt for each call, whose outcome is judged here and nowhere else. Retries,
 * clocks, breakers and fallbacks are policies around it.
 *
 * With `request.stream` the answer is an async iterable, given out at its first token: a host answers 200 while the
 * call still queues, so until then everything can still go wrong, and be retried unseen. (With `commitOn: "content"`:
 * at its first token behind the reasoning.) It ends with an error, never quietly, when the host ends it without
 * finishing the answer.
 *
 * What it throws through a client: `UpstreamError` with a `code` such as `OVERLOADED`, `QUOTA` or `STREAM_TRUNCATED`.
 *
 * @throws ConfigError for options that cannot work, a missing key among them.
 *
 * @example
 * ```ts
 * import { createClient, retry } from "@breakwater/core";
 * import { deepseekUpstream } from "@breakwater/deepseek";
 *
 * const ask = createClient(deepseekUpstream({ apiKey: "sk-your-key" }), retry({ attempts: 3 }));
 * ```
 */
export function deepseekUpstream(options: DeepSeekUpstreamOptions = {}): Upstream<ChatRequest, ChatAnswer> {
  return createUpstream(readUpstreamOptions("deepseekUpstream", options));
}

/** Where a request goes and with which headers. @internal */
export interface Address {
  readonly url: string;
  readonly headers: Headers;
  /** The key, to be taken out of what the host says. */
  readonly key: string | undefined;
  readonly elsewhere?: Lease["elsewhere"] | undefined;
}

/** Where a call goes, or why it goes nowhere. */
type AddressOf = (call: Call<ChatRequest>) => MaybePromise<Address | Refusal>;

/** @internal `addressOf`, `accountOf`: for the fetch, whose address, headers and key come with each request. */
export function createUpstream(
  config: UpstreamConfig,
  addressOf: AddressOf = (call) => ownAddress(call, config),
  accountOf = (call: Call<ChatRequest>): string | undefined => config.accounts?.idFor(call),
): Upstream<ChatRequest, ChatAnswer> {
  const { costs, profile } = config;
  const meter = createTokenMeter({
    modelOf: (request) => modelFor(request, config.profile),
    countTokens: config.countTokens,
    reserveOutput: config.reserveOutput,
  });
  const traits: UpstreamTraits<ChatRequest, ChatAnswer> &
    Record<typeof ACCOUNT_OF, typeof accountOf> &
    KnowsModel = {
    name: config.profile.name,
    marks: [
      "dispatched",
      "headers",
      "alive",
      "started",
      "token",
      "withheld",
      "opaque",
      "reasoning",
      "answering",
    ],
    key: (request) => canonicalKey(request, config.profile),
    cost: meter.reserve,
    codec,
    ...(config.prefixUrl !== undefined && { [CONTINUES]: true }),
    [ACCOUNT_OF]: accountOf,
    [MODEL_OF]: (request) => modelMeant(request, profile),
    ...(costs !== undefined && {
      onCall: (call: Call<ChatRequest>) => accountForCache(call, costs, profile.name),
    }),
  };
  const handle = (call: Call<ChatRequest>): Promise<Outcome<ChatAnswer>> =>
    ask(call, config, addressOf, meter);
  if (costs === undefined) return Object.assign(handle, { traits });
  const place = {
    host: profile.name,
    accountOf,
    modelFor: (request: ChatRequest) => modelFor(request, profile),
  };
  return Object.assign(accounted(handle, costs, place), { traits });
}

async function ask(
  call: Call<ChatRequest>,
  config: UpstreamConfig,
  addressOf: AddressOf,
  meter: TokenMeter,
): Promise<Outcome<ChatAnswer>> {
  const { meta, request, runtime } = call;
  const { profile } = config;
  const wanted = request.stream === true;
  const streaming = wanted || config.upstreamMode === "stream";
  call.sendTo(profile.name, modelFor(request, profile));
  const body = bodyFor(request, meta, profile, streaming);
  hintAtRetries(call);
  const address = await addressOf(call);
  if ("code" in address) return refuse(call, address);
  const { url, headers, key, elsewhere } = address;
  const fetch = config.fetch ?? (await defaultFetch());
  if (call.aborted) return call.abortOutcome();

  call.mark("dispatched");
  call.defer(({ status, usage }) => {
    if (status === "answered" && usage !== undefined && usage.estimated !== true) meter.learn(request, usage);
  });
  // The signal tells the fetch; a body that does not listen is told here. Before the first event nothing was computed,
  // as far as anybody can know; of an answer that comes whole nobody can.
  let source: ChunkSource | undefined;
  const forget = call.onAbort(() => {
    if (source !== undefined) void source.return();
    else if (streaming) call.usage ??= NOTHING;
  });
  // A whole answer comes at once, after minutes: nothing can be concluded from its silence.
  if (!streaming) call.mark("opaque");
  if (!wanted && streaming) {
    headers.set("accept", "text/event-stream");
    call.mark("withheld");
  }
  const fail = ({ error, verdict }: Failure): Outcome<never> =>
    call.aborted ? call.abortOutcome() : failed(error, verdict, meta);
  let response: Response;
  try {
    response = await fetch(url, { method: "POST", headers, body, signal: call.signal });
  } catch (error) {
    if (call.aborted) return call.abortOutcome();
    // A stream would have begun with its headers.
    return fail(transportFailure(error, { target: profile.name, meta, ...(streaming && { spent: false }) }));
  }
  call.mark("headers");
  const traceId = traceOf(response.headers);
  if (traceId !== undefined) meta.traceId = traceId;
  const retryAfterMs = retryAfterOf(response.headers, runtime.wallNow());
  const context: FailureContext = { target: profile.name, key, meta, traceId, retryAfterMs, elsewhere };

  if (!response.ok) return fail(await readError(response, call, config, context, key));
  const type = response.headers.get("content-type") ?? "";
  const fits =
    type === "" || (streaming ? /^text\/event-stream/i : /^application\/([\w.-]+\+)?json/i).test(type);
  if (!fits || response.body === null) return fail(await readOther(response, type, call, config, context));
  if (!streaming) {
    const answer = await readJsonAnswer(response, call, { ...config, ...config.rules }, context, meter);
    return isFailure(answer) ? fail(answer) : answered(answer, meta);
  }

  source = createChunkSource(response.body, call, config.rules, context, meter);
  let failure = await source.begin();
  if (!wanted && failure === undefined && !call.aborted) {
    const answer = await readStreamedAnswer(source, call, config, context);
    if (!isFailure(answer)) return answered(answer, meta);
    failure = answer;
  }
  forget();
  if (call.aborted) return call.abortOutcome();
  if (failure !== undefined) {
    void source.return();
    return fail(failure);
  }
  // The source marks what it reads when it reads it, several chunks at a time.
  const { stream, end } = relay(source, call, { progress: () => false, complete: () => source.complete });
  return answered(stream, meta, end);
}

function isFailure(answer: ChatCompletion | Failure): answer is Failure {
  return "verdict" in answer;
}

/** @internal */
export async function ownAddress(
  call: Call<ChatRequest>,
  config: UpstreamConfig,
): Promise<Address | Refusal> {
  const { profile } = config;
  const lease = await leaseFor(call, config);
  if (lease !== undefined && "code" in lease) return lease;
  const key = lease?.key;
  const headers = new Headers({
    accept: call.request.stream === true ? "text/event-stream" : "application/json",
    "content-type": "application/json",
    ...profile.headers,
    ...(typeof config.headers === "function" ? config.headers(call) : config.headers),
  });
  if (key !== undefined) headers.set("authorization", `Bearer ${key}`);
  return { url: urlFor(call.request, config), headers, key, elsewhere: lease?.elsewhere };
}

/** A key, and where else there is one; undefined where none is asked for. */
async function leaseFor(call: Call<unknown>, config: UpstreamConfig): Promise<Lease | Refusal | undefined> {
  const { accounts, asker, keyOf, profile, url } = config;
  if (keyOf === undefined) return accounts?.admit(call, asker);
  const key = checkKey(`${profile.name}: apiKey`, await keyOf(call));
  return accounts?.admitKey(call, asker, key, { place: url });
}

/** @internal For what is no chat: it neither costs nor counts, so that a closed account can still be looked at. */
export async function keyFor(
  call: Call<unknown>,
  { accounts, keyOf, profile }: UpstreamConfig,
): Promise<string | undefined> {
  return keyOf === undefined ? accounts?.anyKey() : checkKey(`${profile.name}: apiKey`, await keyOf(call));
}

function refuse(call: Call<unknown>, refusal: Refusal): Outcome<never> {
  const { events } = call.host;
  events.emit({ type: "call-refused", refusal }, call);
  return refused(refusal, call.meta);
}

/** @internal */
function urlFor(request: ChatRequest, { fimUrl, prefixUrl, profile, url }: UpstreamConfig): string {
  if (isFim(request)) {
    if (fimUrl !== undefined) return fimUrl;
    throw new ConfigError(
      `fim: ${profile.name} is not known to fill in texts. If it does, say where: { host: { …, fim: "/beta" } }.`,
    );
  }
  return isContinuation(request) ? (prefixUrl ?? url) : url;
}

/** An error status wins over whatever its body is. The body is read for what it says, and not for long. */
async function readError(
  response: Response,
  call: Call<ChatRequest>,
  { maxErrorBodyBytes, rules }: UpstreamConfig,
  context: FailureContext,
  key: string | undefined,
): Promise<Failure> {
  const { status, headers } = response;
  const limits = { maxBytes: maxErrorBodyBytes, withinMs: rules.tailMs, runtime: call.runtime };
  // A body that breaks off takes nothing from the status.
  const read = await readText(response.body, limits).catch(() => ({ text: "" }));
  const text = redact(read.text, key);
  const body = parseLeniently(text);
  const { type, message } = readErrorBody(body);
  const failure = errorFailure({ status, type, message }, { ...context, body });
  rememberErrorAnswer(failure.error, { status, contentType: headers.get("content-type"), text });
  return failure;
}

/** 200, and something that was not asked for: an error in it is believed, anything else is none of ours. */
async function readOther(
  response: Response,
  type: string,
  call: Call<ChatRequest>,
  { maxErrorBodyBytes, rules }: UpstreamConfig,
  context: FailureContext,
): Promise<Failure> {
  const wrong = (): Failure =>
    brokenFailure("WRONG_CONTENT_TYPE", context, { detail: /^[\w.+/-]{1,60}/.exec(type)?.[0] ?? "none" });
  if (type.startsWith("text/event-stream")) {
    // A stream that nobody asked for has no end that would be worth waiting for.
    void response.body?.cancel().catch(() => undefined);
    return wrong();
  }
  const limits = { maxBytes: maxErrorBodyBytes, withinMs: rules.tailMs, runtime: call.runtime };
  const { text } = await readText(response.body, limits).catch(() => ({ text: "" }));
  const body = parseLeniently(text);
  if (isErrorBody(body)) return errorFailure(embeddedFacts(body), { ...context, body });
  if (text.trim() === "") return brokenFailure("EMPTY_BODY", context);
  return wrong();
}

/** What the host calls the request. It is logged and shown, so nothing is taken for it that does not look like a name. */
function traceOf(headers: Headers): string | undefined {
  const given = TRACE_HEADERS.map((name) => headers.get(name)).find((value) => value !== null);
  return given !== undefined && /^(?!sk-)[\w.:-]{1,128}$/.test(given) ? given : undefined;
}

const TRACE_HEADERS = ["x-ds-trace-id", "x-deepseek-request-id", "x-request-id"] as const;

/** The official SDKs count their own retries; two that multiply are hardly meant. */
function hintAtRetries(call: Call<ChatRequest>): void {
  const count = wireOf(call.request)?.headers?.get("x-stainless-retry-count");
  if (count === null || count === undefined || Number(count) < 1 || call.attempt > 1) return;
  const message =
    "the SDK retries as well: its retries and Breakwater's multiply. Set maxRetries: 0 in the SDK.";
  call.host.events.emit({ type: "hint", message }, call);
}
