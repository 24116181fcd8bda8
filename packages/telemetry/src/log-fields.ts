import { type BreakwaterEvent, plainEvent } from "@breakwater/core";

/** A field of a log line, by its path. */
export interface LogField {
  readonly path: string;
  readonly type: "keyword" | "text" | "long" | "double" | "boolean";
  /** What it says, and of which lines. */
  readonly help: string;
}

const at = (path: string, type: LogField["type"], help: string): LogField => ({
  path: `breakwater.${path}`,
  type,
  help,
});

const usage = (path: string, whose: string): readonly LogField[] => [
  at(`${path}.promptTokens`, "long", `tokens of the prompt ${whose}`),
  at(`${path}.cachedPromptTokens`, "long", "those of them that the upstream had in its cache"),
  at(`${path}.completionTokens`, "long", `tokens of the answer ${whose}`),
  at(`${path}.reasoningTokens`, "long", "those of them that were thinking"),
  at(`${path}.totalTokens`, "long", `tokens together ${whose}`),
  at(`${path}.estimated`, "boolean", "whether the tokens are estimated rather than told"),
];

const refusal = (path: string): readonly LogField[] => [
  at(`${path}.by`, "keyword", "the policy that refused"),
  at(`${path}.code`, "keyword", "why: RATE_LIMITED, BULKHEAD_FULL, CIRCUIT_OPEN, …"),
  at(`${path}.retryAfterMs`, "double", "ms after which it may be tried again"),
  at(`${path}.limit`, "double", "how much the limit lets pass"),
  at(`${path}.remaining`, "double", "what is left of it"),
  at(`${path}.resetMs`, "double", "ms until all of it is there again"),
  at(`${path}.source`, "keyword", "over a shared store that could not decide: who did in its place"),
];

const error = (path: string): readonly LogField[] => [
  at(`${path}.name`, "keyword", "the error's class"),
  at(`${path}.code`, "keyword", "what it is known by: OVERLOADED, TIMED_OUT, ECONNRESET, …"),
  at(`${path}.status`, "long", "the upstream's HTTP status"),
  at(`${path}.clock`, "keyword", "of our clocks, the one that ran out"),
  at(`${path}.traceId`, "keyword", "what the upstream calls the request"),
];

/** Every field that a line can have, with the type that an index should give it. A mapping of these never conflicts. */
export const LOG_FIELDS: readonly LogField[] = [
  at("type", "keyword", "what happened: the event's type"),
  at("client", "keyword", "the client or pipeline"),
  at("callId", "keyword", "the call, as its caller or the request named it"),
  at("serial", "long", "the call, and no other of this process: lines of one call have it in common"),
  at("parent", "long", "call-start: the serial of the call in whose work it is made"),
  at("tenant", "keyword", "whose call it is; only with identities: true"),
  at("priority", "keyword", "interactive or batch"),
  at("attempts", "long", "call-end: requests that left for the upstream"),
  at("attempt", "long", "which request of the call"),
  at("target", "keyword", "attempt-*: the host"),
  at("model", "keyword", "attempt-end, attempt-cost: the model"),
  at("durationMs", "double", "call-end, attempt-end: how long it took, a stream to its last token"),
  at("firstTokenMs", "double", "attempt-end: from the request to its first token"),
  at("policy", "keyword", "the policy that it is about"),
  at("kind", "keyword", "what that policy is: circuit-breaker, rate-limit, …"),
  at(
    "key",
    "keyword",
    "what the policy counts by, only with identities: true; of key-*: the last four characters",
  ),
  at("repeated", "long", "how many more like it there were since the last such line"),
  at("ending.status", "keyword", "call-end, attempt-end: answered, failed, refused or cancelled"),
  at("ending.fault", "keyword", "failed: whose doing it is: upstream, overload or caller"),
  at("ending.scope", "keyword", "failed: what it is true of: key, account, model or host"),
  at("ending.retryable", "boolean", "failed: whether the same call may succeed later"),
  at("ending.retryAfterMs", "double", "failed: when the upstream says to come again"),
  at("ending.limit", "double", "failed: a concurrency limit that the upstream named"),
  at("ending.spent", "boolean", "failed: whether tokens may have been spent"),
  ...error("ending.error"),
  ...refusal("ending.refusal"),
  ...usage("ending.usage", "of the attempt"),
  at("meta.target", "keyword", "call-end: the host that was asked last"),
  at("meta.model", "keyword", "call-end: the model that answered"),
  at("meta.cache", "keyword", "call-end: miss, hit, stale or join"),
  at("meta.degraded", "boolean", "call-end: whether the answer is a fallback's, or a stale one"),
  at("meta.waitedMs", "double", "call-end: time in queues and limiters of ours"),
  at("meta.firstTokenMs", "double", "call-end: from the call's start to its first token"),
  at("meta.resumed", "long", "call-end: how often its stream was continued"),
  at("meta.traceId", "keyword", "call-end: what the upstream calls the request"),
  ...usage("meta.usage", "of the call"),
  ...usage("meta.saved", "that an answer from a cache saved"),
  at("host", "keyword", "attempt-cost: the host"),
  at("category", "keyword", "attempt-cost: useful, retryWaste, hedgeWaste, cancelled, failed or cached"),
  at("usd", "double", "attempt-cost: US dollars"),
  at("savedUsd", "double", "attempt-cost: US dollars that a cache saved"),
  at("estimated", "boolean", "attempt-cost: whether that is estimated"),
  ...refusal("refusal"),
  ...error("error"),
  at("ms", "double", "how long it took, waits or was set to"),
  at("because", "keyword", "retry-stop, resume-stop: why there is no further one"),
  at("openForMs", "double", "breaker-open: how long it stays open"),
  at("clock", "keyword", "clock-ran-out: which one"),
  at("from", "double", "limit-change: the limit before"),
  at("to", "keyword", "limit-change: the limit now; fallback-use, store-degrade: what stands in"),
  at("resume", "long", "stream-resume: 1 for the first time"),
  at("account", "keyword", "the upstream's account"),
  at("retryAfterMs", "double", "account-close, key-disable: when it is tried again"),
  at("forMs", "double", "account-low: how long that holds"),
  at("result", "keyword", "cache-read: hit, stale, miss or join"),
  at("ok", "boolean", "cache-refresh: whether there is a new answer"),
  at("source", "keyword", "store-decide: where the decision came from"),
  at("ours", "text", "config-mismatch: this process's numbers, as JSON"),
  at("holds", "text", "config-mismatch: the numbers that hold, as JSON"),
  at("by", "keyword", "policy-change: who"),
  at("change", "text", "policy-change: what, as JSON"),
  at("where", "keyword", "callback-throw: which callback"),
  at("message", "text", "hint: what is hardly meant, and what to write instead"),
];

/** What a line says beside its text: the event as plain data, with durations in the place of a clock that nobody reads. */
export function fieldsOf(event: BreakwaterEvent, identities: boolean): Record<string, unknown> {
  const { at: now, startedAt, ...fields } = plainEvent(event, { identities }) as Record<string, unknown>;
  if (typeof startedAt === "number") fields["durationMs"] = micros((now as number) - startedAt);
  if (event.type === "call-end") {
    fields["ending"] = without(fields["ending"], [...CLOCKED, "usage"]);
    fields["meta"] = without(fields["meta"], ["callId", "attempts"]);
  } else if (event.type === "attempt-end") {
    const { firstTokenAt } = event.ending;
    if (firstTokenAt !== undefined) fields["firstTokenMs"] = micros(firstTokenAt - event.startedAt);
    fields["ending"] = without(fields["ending"], CLOCKED);
  }
  for (const name of FREE) if (name in fields) fields[name] = JSON.stringify(fields[name]);
  if (typeof fields["to"] === "number") fields["to"] = String(fields["to"]);
  return fields;
}

/** Moments on a clock that means nothing to a reader. */
const CLOCKED: readonly string[] = ["dispatchedAt", "firstTokenAt", "endedAt"];

function without(fields: unknown, names: readonly string[]): Readonly<Record<string, unknown>> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields as object))
    if (!names.includes(name)) kept[name] = typeof value === "number" ? micros(value) : value;
  return kept;
}

/** A difference of two clocks has a dozen digits that mean nothing, in every line of an index. */
function micros(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

/** What has members of any name: as one text, since an index would make a field of each. */
const FREE: readonly string[] = ["change", "ours", "holds"];
