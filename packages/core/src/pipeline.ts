import type { CallOptions } from "./call-options.ts";
import type { Call } from "./call.ts";
import { compose } from "./compose.ts";
import { show } from "./duration.ts";
import { ConfigError } from "./errors.ts";
import type { Any, MaybePromise, Policy } from "./handler.ts";
import { createEngine, type Managed, type Settings } from "./host.ts";
import type { Outcome } from "./outcome.ts";
import { unwrap, unwrapLater } from "./thrown.ts";
import { answer, contextOf, type FunctionContext } from "./upstream.ts";

export interface ExecuteOptions extends CallOptions {
  /** What policies see as the request: `rateLimit({ key: (input) => … })`. */
  readonly input?: unknown;
}

/** Policies around any function. Itself a policy: it can stand inside a client or another pipeline. */
export interface Pipeline extends Omit<Policy, "describe" | "snapshot" | "update">, Managed {
  readonly kind: "pipeline";
  /** Runs `f` inside the policies: answers or throws. */
  execute<T>(f: (context: FunctionContext) => MaybePromise<T>, options?: ExecuteOptions): Promise<T>;
  /** Runs `f` inside the policies; never throws. */
  outcome<T>(
    f: (context: FunctionContext) => MaybePromise<T>,
    options?: ExecuteOptions,
  ): MaybePromise<Outcome<T>>;
  /** A function like `f`, inside the policies. Policies see its arguments as the request. */
  wrap<A extends readonly unknown[], T>(
    f: (...args: A) => MaybePromise<T>,
    options?: CallOptions,
  ): (...args: A) => Promise<T>;
}

/**
 * Puts policies around functions that are only known later. Written order is the real order: the first policy is
 * the outermost.
 *
 * @example
 * ```ts
 * import { createPipeline, retry } from "@breakwater/core";
 *
 * const guarded = createPipeline(retry({ attempts: 2 }));
 * await guarded.execute(({ signal }) => Promise.resolve(signal.aborted)); // => false
 * ```
 */
export function createPipeline(...given: readonly (Policy | Settings)[]): Pipeline {
  const [first, ...others] = given;
  const named = first !== undefined && !("apply" in first);
  const settings: Settings = named ? first : {};
  const engine = createEngine((named ? others : given) as readonly Policy[], undefined, {
    name: "pipeline",
    ...settings,
  });
  const handler = compose(engine.policies, runTask, engine.host);

  const outcome: Pipeline["outcome"] = (f, { input, ...options } = {}) => {
    if (typeof f !== "function") throw new ConfigError(`pipeline: a function is expected, got ${show(f)}.`);
    return engine.run(input, options, handler, { task: f }) as MaybePromise<Outcome<Any>>;
  };
  const pipeline: Pipeline = {
    ...engine.managed,
    managed: () => [pipeline],
    kind: "pipeline",
    name: engine.host.name,
    parts: engine.policies,
    apply: (next, host) => compose(engine.policies, next, host),
    outcome,
    execute(f, options) {
      try {
        return unwrapLater(outcome(f, options));
      } catch (error) {
        return Promise.reject(error);
      }
    },
    wrap:
      (f, options = {}) =>
      async (...args) =>
        unwrap(await outcome(() => f(...args), { ...options, input: args })),
  };
  return pipeline;
}

function runTask(call: Call<unknown>): MaybePromise<Outcome<unknown>> {
  call.mark("dispatched");
  return answer(call.trip.task?.(contextOf(call)), call);
}
