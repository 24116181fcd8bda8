import { DISCARDED, type EventOf, plainError, type Refusal, type Usage } from "@breakwater/core";
import type { Attributes, HrTime } from "@opentelemetry/api";

// The names are those of the GenAI conventions as of November 2026; what they have no name for is breakwater.*.

/** Milliseconds since 1970, as exact as a span wants them. */
export function timeOf(wallMs: number): HrTime {
  const seconds = Math.floor(wallMs / 1_000);
  return [seconds, Math.round((wallMs - seconds * 1_000) * 1e6)];
}

/** What an ended call says of itself. */
export function attributesOfCall({ attempts, ending, meta }: EventOf<"call-end">): Attributes {
  const { cache, degraded, firstTokenMs, resumed, saved, target, traceId, waitedMs } = meta;
  return {
    "breakwater.attempts": attempts,
    ...attributesOfEnding(ending),
    ...(target !== undefined && { "breakwater.target": target }),
    ...(cache !== undefined && { "breakwater.cache": cache }),
    ...(degraded !== undefined && { "breakwater.degraded": degraded }),
    ...(waitedMs !== undefined && { "breakwater.waited_ms": waitedMs }),
    ...(firstTokenMs !== undefined && { "breakwater.first_token_ms": firstTokenMs }),
    ...(resumed !== undefined && { "breakwater.resumed": resumed }),
    ...(traceId !== undefined &&
      /^[\w.:-]{1,64}$/.test(traceId) && { "breakwater.upstream.trace_id": traceId }),
    ...(saved?.totalTokens !== undefined && { "breakwater.saved_tokens": saved.totalTokens }),
  };
}

/**
 * One answer of a model, as the GenAI conventions have it: over all attempts, with the tokens of the one that was given
 * out. Only for the call that has sent them, so that what sums tokens up over spans counts each once.
 */
export function attributesOfAnswer(
  { at, ending, meta, startedAt }: EventOf<"call-end">,
  asked: { readonly model: string; readonly provider: string; readonly operation: string },
): Attributes {
  const { firstTokenAt, status, usage } = ending;
  // What comes whole comes with its first token.
  const streamed = firstTokenAt !== undefined && firstTokenAt < at;
  return {
    "gen_ai.operation.name": asked.operation,
    "gen_ai.provider.name": asked.provider,
    "gen_ai.request.model": asked.model,
    ...(status === "answered" && meta.model !== undefined && { "gen_ai.response.model": meta.model }),
    ...(streamed && { "gen_ai.response.time_to_first_chunk": (firstTokenAt - startedAt) / 1_000 }),
    ...tokens(usage, GEN_AI_TOKENS),
  };
}

/** What an attempt that is over says of itself. Its tokens are not called gen_ai.usage: those are of the whole call. */
export function attributesOfAttempt({
  ending,
  model,
  startedAt,
  target,
}: EventOf<"attempt-end">): Attributes {
  const { firstTokenAt, retryAfterMs, usage } = ending;
  const { status, traceId } = plainError(ending.error);
  return {
    ...attributesOfEnding(ending),
    ...(target !== undefined && { "breakwater.target": target }),
    ...(model !== undefined && { "breakwater.model": model }),
    ...(firstTokenAt !== undefined && { "breakwater.first_token_ms": firstTokenAt - startedAt }),
    ...(retryAfterMs !== undefined && { "breakwater.retry_after_ms": retryAfterMs }),
    ...(status !== undefined && { "http.response.status_code": status }),
    ...(traceId !== undefined && { "breakwater.upstream.trace_id": traceId }),
    ...tokens(usage, OWN_TOKENS),
  };
}

type Ending = EventOf<"call-end">["ending"];

function attributesOfEnding({ error, fault, scope, status }: Ending): Attributes {
  const type = errorTypeOf({ status, error } as Ending);
  return {
    "breakwater.outcome": status,
    ...(fault !== undefined && { "breakwater.fault": fault }),
    ...(scope !== undefined && { "breakwater.scope": scope }),
    ...(type !== undefined && { "error.type": type }),
    ...(status === "refused" && { "breakwater.refused_by": (error as Refusal).by }),
    ...(status === "cancelled" && {
      "breakwater.cancelled_by": error === DISCARDED ? "discarded" : "caller",
    }),
  };
}

/**
 * What kept it from being answered, in a word; undefined for an answer, and for a cancellation, which is nobody's fault.
 * A refused call is an error of the call, since its caller has no answer; it has no attempt, so that nothing is
 * booked on the upstream.
 */
export function errorTypeOf({ error, status }: Ending): string | undefined {
  if (status === "refused") return (error as Refusal).code;
  if (status !== "failed") return undefined;
  const { code, name } = plainError(error);
  return code ?? name;
}

/** By the member of a usage, whole: a name is put together once, and not for each span. */
type TokenNames = readonly (readonly [member: string, attribute: string])[];

const GEN_AI_TOKENS: TokenNames = [
  ["promptTokens", "gen_ai.usage.input_tokens"],
  ["cachedPromptTokens", "gen_ai.usage.cache_read.input_tokens"],
  ["completionTokens", "gen_ai.usage.output_tokens"],
  ["reasoningTokens", "gen_ai.usage.reasoning.output_tokens"],
];

const OWN_TOKENS: TokenNames = [
  ["promptTokens", "breakwater.tokens.prompt"],
  ["cachedPromptTokens", "breakwater.tokens.cached_prompt"],
  ["completionTokens", "breakwater.tokens.completion"],
  ["reasoningTokens", "breakwater.tokens.reasoning"],
];

function tokens(usage: Usage | undefined, names: TokenNames): Attributes | undefined {
  if (usage === undefined) return undefined;
  const counted: Attributes = {};
  for (const [member, name] of names) {
    const count = (usage as Readonly<Record<string, unknown>>)[member];
    if (typeof count === "number") counted[name] = count;
  }
  if (usage.estimated === true) counted["breakwater.tokens.estimated"] = true;
  return counted;
}
