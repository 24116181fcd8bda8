import {
  bulkhead,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  isBrokenCircuitError,
  isBulkheadRejectedError,
  isTaskCancelledError,
  retry,
  SamplingBreaker,
  TaskCancelledError,
  timeout,
  TimeoutStrategy,
  wrap,
} from "cockatiel";
import OpenAI, { APIConnectionError, APIError, APIUserAbortError } from "openai";

import type { Column, HostAddress } from "./column.ts";
import { complain, streamOf, textOf } from "./openai.ts";

/** DeepSeek's fault, and worth another attempt: what the SDK would retry by itself. */
function isTransient(error: unknown): boolean {
  if (error instanceof APIUserAbortError) return false;
  if (error instanceof APIConnectionError || isTaskCancelledError(error)) return true;
  if (!(error instanceof APIError)) return false;
  const status = Number(error.status);
  return status === 408 || status === 409 || status === 429 || status >= 500;
}

/** For the breaker: a limit that is reached does not mean that the host is down. */
const isFailure = (error: unknown): boolean =>
  isTransient(error) && !(error instanceof APIError && error.status === 429);

/** The stack that cockatiel's documentation builds, with care for what is particular here. */
export function cockatiel({ url, key }: HostAddress): Column {
  // One retry is enough of it: the SDK's own would multiply.
  const client = new OpenAI({ baseURL: url, apiKey: key, maxRetries: 0 });
  const policy = wrap(
    // Five more attempts, as many as the tuned SDK; decorrelated jitter is the default of this back-off.
    retry(handleWhen(isTransient), { maxAttempts: 5, backoff: new ExponentialBackoff() }),
    circuitBreaker(handleWhen(isFailure), {
      halfOpenAfter: 10_000,
      // Half of the calls, not a fifth as in the documentation's example: with one host an open breaker answers nobody.
      // The default wants ten calls a second before it counts at all, which are not here.
      breaker: new SamplingBreaker({ threshold: 0.5, duration: 30_000, minimumRps: 1 }),
    }),
    bulkhead(100, 200),
    // By default it would abort the body as soon as the headers are there.
    timeout(60_000, { strategy: TimeoutStrategy.Cooperative, abortOnReturn: false }),
  );
  return {
    async *ask(question, signal) {
      const chunks = await policy.execute(async (context) => {
        try {
          return await streamOf(client, question, context.signal);
        } catch (error) {
          // To the SDK every abort is the user's.
          if (context.signal.aborted && !signal.aborted) throw new TaskCancelledError("No headers in time");
          throw error;
        }
      }, signal);
      // The policies let go of the browser's signal when they return, and the body comes only then.
      signal.addEventListener("abort", () => chunks.controller.abort(), { once: true });
      yield* textOf(chunks);
    },
    complain(error) {
      if (isBrokenCircuitError(error)) return { refused: true, kind: "breaker open" };
      if (isBulkheadRejectedError(error)) return { refused: true, kind: "bulkhead full" };
      if (isTaskCancelledError(error)) return { refused: false, kind: "timed out" };
      return complain(error);
    },
  };
}
