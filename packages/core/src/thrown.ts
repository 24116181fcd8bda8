import type { Call } from "./call.ts";
import { BreakwaterError, RefusedError, StoreError, TimedOutError, UpstreamError } from "./errors.ts";
import { type Any, isPromise, type MaybePromise } from "./handler.ts";
import { cancelled, failed, type Outcome, refused, type Verdict } from "./outcome.ts";

/** What was thrown out of a client, and the outcome that it was: so that throwing and catching loses nothing. */
const memory = new WeakMap<object, Outcome<never>>();

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** The value, or the throw that the outcome stands for: the user's own error, unwrapped, and the signal's own reason. */
export function unwrap<T>(outcome: Outcome<T>): T {
  switch (outcome.status) {
    case "answered":
      return outcome.value;
    case "refused":
      throw remember(new RefusedError(outcome.refusal, outcome.meta), outcome);
    case "failed":
      throw remember(outcome.error, outcome);
    case "cancelled":
      throw remember(outcome.reason, outcome);
  }
}

/** As `unwrap`, for an outcome that may come later. By hand, since `await` would cost every call a turn of the queue more. */
export function unwrapLater<T>(outcome: MaybePromise<Outcome<T>>): Promise<T> {
  return isPromise(outcome) ? outcome.then(unwrap) : new Promise((resolve) => resolve(unwrap(outcome)));
}

/** @internal What `error` stands for, wherever it is thrown next. */
export function remember(error: unknown, outcome: Outcome<never>): unknown {
  if (isObject(error)) memory.set(error, outcome);
  return error;
}

/**
 * What an exception comes to: the one place where it is decided for plain functions. Our own errors keep their
 * outcome; the attempt's own abort is the abort's outcome; a numeric `status` is read as HTTP; a TypeError and its
 * kin are mistakes of the caller's; anything else is a fault upstream that may pass.
 */
export function outcomeOfThrown(error: unknown, call: Call<Any>): Outcome<never> {
  const { meta } = call;
  if (call.aborted && (error === call.reason || isAbortError(error))) return call.abortOutcome();
  const known = isObject(error) ? memory.get(error) : undefined;
  if (known !== undefined) return { ...known, meta };
  if (RefusedError.isInstance(error)) return refused(error.refusal, meta);
  if (isAbortError(error)) return cancelled(error, meta);
  return failed(error, verdictOfError(error), meta);
}

function verdictOfError(error: unknown): Verdict {
  if (UpstreamError.isInstance(error)) {
    const { retryAfterMs, retryable } = error;
    const fault = error.status === undefined ? "upstream" : verdictOfStatus(error.status).fault;
    return retryAfterMs === undefined ? { fault, retryable } : { fault, retryable, retryAfterMs };
  }
  if (StoreError.isInstance(error)) return { fault: "overload", retryable: true };
  if (TimedOutError.isInstance(error)) return { fault: "upstream", retryable: error.retryable };
  if (BreakwaterError.isInstance(error)) return { fault: "caller", retryable: error.retryable };
  if (isObject(error)) {
    const { status } = error as { status?: unknown };
    if (typeof status === "number") return verdictOfStatus(status);
    // fetch says "fetch failed" with a TypeError; undici puts the socket's error into `cause`.
    if (isMistake(error) && !isFetchFailure(error)) return { fault: "caller", retryable: false };
  }
  return { fault: "upstream", retryable: true };
}

/**
 * How an HTTP status counts. 429 is load, not sickness; 408, 409 and 5xx may pass; the rest of 4xx is the caller's.
 *
 * @example
 * ```ts
 * import { verdictOfStatus } from "@breakwater/core";
 *
 * verdictOfStatus(429); // => { fault: "overload", retryable: true }
 * ```
 */
export function verdictOfStatus(status: number): Verdict {
  if (status === 429) return { fault: "overload", retryable: true };
  if (status === 401 || status === 403) return { fault: "caller", retryable: false, scope: "key" };
  if (status === 402) return { fault: "upstream", retryable: false, scope: "account" };
  if (status === 408 || status === 409) return { fault: "upstream", retryable: true };
  if (status >= 400 && status < 500) return { fault: "caller", retryable: false };
  if (status === 501 || status === 505) return { fault: "upstream", retryable: false };
  return { fault: "upstream", retryable: true };
}

function isMistake(error: object): boolean {
  return (
    error instanceof TypeError ||
    error instanceof ReferenceError ||
    error instanceof SyntaxError ||
    error instanceof RangeError
  );
}

function isFetchFailure(error: object): boolean {
  const { message, cause } = error as { message?: unknown; cause?: unknown };
  return (
    cause !== undefined ||
    (typeof message === "string" &&
      /^(fetch failed|failed to fetch|load failed|network ?error|terminated)/i.test(message))
  );
}

function isAbortError(error: unknown): boolean {
  return isObject(error) && (error as { name?: unknown }).name === "AbortError";
}
