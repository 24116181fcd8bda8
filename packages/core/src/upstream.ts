import type { Call } from "./call.ts";
import { type Any, isPromise, type MaybePromise, type Upstream, type UpstreamTraits } from "./handler.ts";
import type { Mark } from "./marks.ts";
import { answered, type Outcome } from "./outcome.ts";
import { relay } from "./relay.ts";

/** What a plain function is handed beside its request. */
export interface FunctionContext {
  /** Fires when the caller leaves or a clock runs out. Hand it on, or the work goes on unseen. */
  readonly signal: AbortSignal;
  /** Tells progress, so that clocks and hedges can act on it: `mark("token")`. */
  readonly mark: (mark: Mark) => void;
  readonly call: Call<Any>;
}

/**
 * Makes an upstream of any function. What it throws becomes an outcome: our own errors keep theirs, a numeric
 * `status` counts as HTTP, a TypeError is a mistake of the caller's, anything else may pass. An async iterable is
 * answered with at its first item and ends at its last.
 *
 * @example
 * ```ts
 * import { createClient, retry, upstream } from "@breakwater/core";
 *
 * const ask = createClient(upstream(async (question: string) => `${question}? 42.`), retry());
 * await ask("What is the answer"); // => "What is the answer? 42."
 * ```
 */
export function upstream<Req, Res>(
  f: (request: Req, context: FunctionContext) => MaybePromise<Res>,
  traits: UpstreamTraits<Req, Res> = {},
): Upstream<Req, Res> {
  const handler = (call: Call<Req>): MaybePromise<Outcome<Res>> => {
    call.sendTo(traits.name);
    call.mark("dispatched");
    return answer(f(call.request, contextOf(call)), call);
  };
  return Object.assign(handler, { traits: { marks: ["dispatched"] as const, ...traits } });
}

// A class, so that the signal and the function are made only for those who read them.
class Context implements FunctionContext {
  readonly call: Call<Any>;
  constructor(call: Call<Any>) {
    this.call = call;
  }
  get signal(): AbortSignal {
    return this.call.signal;
  }
  get mark(): (mark: Mark) => void {
    return (mark) => this.call.mark(mark);
  }
}

/** @internal */
export function contextOf(call: Call<Any>): FunctionContext {
  return new Context(call);
}

/** @internal What a function's result comes to, now or when its promise resolves. */
export function answer<Res>(result: MaybePromise<Res>, call: Call<Any>): MaybePromise<Outcome<Res>> {
  return isPromise(result) ? answerLater(result, call) : answerValue(result, call);
}

// A function of its own: one that holds a closure pays for it even when it does not get to it.
function answerLater<Res>(result: Promise<Res>, call: Call<Any>): Promise<Outcome<Res>> {
  return result.then((value) => answerValue(value, call));
}

/** A value as it is; an async iterable from its first item on, so that a failure before it can still be retried. */
function answerValue<Res>(value: Res, call: Call<Any>): MaybePromise<Outcome<Res>> {
  if (!isAsyncIterable(value)) return answered(value, call.meta);
  const source = value[Symbol.asyncIterator]();
  const forget = call.onAbort(() => void source.return?.()?.then(undefined, () => undefined));
  return source.next().then((first) => {
    forget();
    if (first.done !== true) call.mark("token");
    const { stream, end } = relay(source, call, { first });
    return answered(stream as Res, call.meta, end);
  });
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}
