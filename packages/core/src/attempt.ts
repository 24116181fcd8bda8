import type { Call } from "./call.ts";
import { apart } from "./context.ts";
import { type Handler, isPromise, type MaybePromise } from "./handler.ts";
import type { Outcome } from "./outcome.ts";
import { outcomeOfThrown } from "./thrown.ts";

/**
 * Runs a handler for a call: starts it, races it against the call's abort, turns what it throws into an outcome and
 * concludes the call exactly once. So a timeout is a guard even over work that ignores its signal, and no policy
 * needs a `try`.
 */
export function attempt<Req, Res>(call: Call<Req>, handler: Handler<Req, Res>): MaybePromise<Outcome<Res>> {
  if (call.aborted) return conclude(call, call.abortOutcome());
  let result: MaybePromise<Outcome<Res>>;
  try {
    result = call.detached ? apart(call, handler) : handler(call);
  } catch (error) {
    return conclude(call, outcomeOfThrown(error, call));
  }
  return isPromise(result) ? race(call, result) : conclude(call, result);
}

function race<Req, Res>(call: Call<Req>, work: Promise<Outcome<Res>>): Promise<Outcome<Res>> {
  return new Promise((resolve) => {
    const settle = (outcome: Outcome<Res>): void => {
      if (call.ended) discard(outcome);
      else resolve(conclude(call, outcome));
    };
    work.then(settle, (error: unknown) => settle(outcomeOfThrown(error, call)));
    call.begin(work, resolve);
  });
}

function conclude<Req, Res>(call: Call<Req>, outcome: Outcome<Res>): Outcome<Res> {
  // A handler that answers in the very moment of the abort is too late: the caller was told otherwise.
  if (call.aborted) {
    discard(outcome);
    outcome = call.abortOutcome();
  }
  call.conclude(outcome);
  return outcome;
}

/** Lets go of an answer that nobody will read: a body that stays open holds its connection. */
export function discard<Res>(outcome: Outcome<Res>): void {
  if (outcome.status !== "answered") return;
  const value = outcome.value as Disposable | null | undefined;
  if (typeof value !== "object" || value === null) return;
  try {
    if (value.body !== undefined && value.body !== null && value.bodyUsed !== true)
      void ignore(value.body.cancel?.());
    else if (outcome.end !== undefined) void ignore(value[Symbol.asyncIterator]?.().return?.());
  } catch {
    // It is gone either way.
  }
}

interface Disposable {
  readonly body?: { cancel?(): Promise<unknown> } | null;
  readonly bodyUsed?: boolean;
  [Symbol.asyncIterator]?(): AsyncIterator<unknown>;
}

function ignore(promise: Promise<unknown> | undefined): Promise<unknown> | undefined {
  return promise?.catch(() => undefined);
}
