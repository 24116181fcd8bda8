import { BreakwaterError, type Call, failed, type Outcome, type Usage, type Verdict } from "@breakwater/core";

import { brokenFailure, errorFailure, type Failure, type FailureContext } from "../classify.ts";
import { embeddedFacts } from "../error-body.ts";
import { retryAfterOf } from "../retry-after.ts";
import type { FinishReason, ModelCall, ModelUsage } from "./model.ts";

/** What went wrong, as it was thrown, and how it counts. */
export type ModelFailure = Failure | { readonly error: unknown; readonly verdict: Verdict };

/** What is read of an `APICallError`, whichever copy of the SDK it comes from. */
interface ApiCallError {
  readonly statusCode?: number;
  readonly isRetryable: boolean;
  readonly responseHeaders?: Readonly<Record<string, string>>;
  readonly message: string;
}

function isApiCallError(error: unknown): error is ApiCallError {
  return error instanceof Error && typeof (error as Partial<ApiCallError>).isRetryable === "boolean";
}

export function contextOf(call: Call<ModelCall>): FailureContext {
  return { target: call.request.model.provider, meta: call.meta };
}

/**
 * The error of a provider stays what it is; only its verdict is found here.
 *
 * @throws what is no answer of a provider: our own errors, and mistakes, which the attempt judges.
 */
export function failureOf(error: unknown, call: Call<ModelCall>): ModelFailure {
  if (BreakwaterError.isInstance(error)) throw error;
  const context = contextOf(call);
  if (isApiCallError(error)) {
    const { message, responseHeaders = {}, statusCode: status = 0 } = error;
    // Without an error status there was no answer, or one that could not be read.
    if (status < 400) return { error, verdict: { fault: "upstream", retryable: true, scope: "host" } };
    const retryAfterMs = retryAfterOf(new Headers(responseHeaders), call.runtime.wallNow());
    const { verdict } = errorFailure({ status, type: "", message }, { ...context, retryAfterMs });
    return { error, verdict };
  }
  if (error instanceof Error) throw error;
  // What a provider found in the stream: the event, the error in it, or its message.
  const body = typeof error === "object" && error !== null && "error" in error ? error : { error };
  return errorFailure(embeddedFacts(body), { ...context, body });
}

/** What is wrong with an answer that ended so, if anything. */
export function judgeFinish(
  { raw, unified }: FinishReason,
  progress: boolean,
  call: Call<ModelCall>,
): Failure | undefined {
  const detail = raw ?? unified;
  if (unified === "error" || raw === "insufficient_system_resource" || raw === "aborted")
    return brokenFailure("UPSTREAM_INTERRUPTED", contextOf(call), { detail });
  // What the SDK says when nobody said why it ended.
  if (unified === "interrupted" || (unified === "other" && raw === undefined))
    return brokenFailure("STREAM_TRUNCATED", contextOf(call));
  if (unified === "stop" && !progress) return brokenFailure("EMPTY_RESPONSE", contextOf(call));
  return undefined;
}

export function fail({ error, verdict }: ModelFailure, call: Call<ModelCall>): Outcome<never> {
  return call.aborted ? call.abortOutcome() : failed(error, verdict, call.meta);
}

export function usageOf(usage: ModelUsage | undefined): Usage | undefined {
  const promptTokens = usage?.inputTokens?.total;
  const completionTokens = usage?.outputTokens?.total;
  if (promptTokens === undefined || completionTokens === undefined) return undefined;
  return { promptTokens, completionTokens, totalTokens: promptTokens + completionTokens };
}
