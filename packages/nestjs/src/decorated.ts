import {
  type CallOptions,
  ConfigError,
  currentContext,
  type Duration,
  lazyStream,
  type Pipeline,
  type Priority,
  type Usage,
} from "@breakwater/core";
import { extendContext, extendContextOf } from "@breakwater/http";
import { defer, isObservable } from "rxjs";

import { type Made, REGISTRY } from "./decorations.ts";
import { pipelineOf } from "./policies.ts";
import type { Decoration } from "./registry.ts";
import { routeOf } from "./route.ts";
import { isAsyncIterable, toIterable, toObservable } from "./streams.ts";

// Of a method that is only known where it is decorated.
// oxlint-disable-next-line typescript/no-explicit-any
export type Args = any[];

/** What is said of a call, from the arguments of the decorated method; what is not said comes from the call context. */
export interface UseOptions<A extends Args = Args> {
  /** Whose call it is. */
  readonly tenant?: (...args: A) => string | undefined;
  /** Expected tokens, for limits that count them. */
  readonly cost?: (...args: A) => Usage | undefined;
  readonly priority?: (...args: A) => Priority | undefined;
  /** How long an answer is of use. */
  readonly deadline?: Duration;
  /** Whether the method may be run again after it failed. @default true; of a route handler only for GET, HEAD and OPTIONS */
  readonly idempotent?: boolean;
  /**
   * What the method returns, where it cannot be seen: an `async` method returns a promise and an `async *` one an
   * iterable, and of others Nest's own metadata tell.
   */
  readonly returns?: "promise" | "observable" | "iterable";
}

export type Kind = NonNullable<UseOptions["returns"]>;
export type AnyMethod = (this: object, ...args: Args) => unknown;

/** The method inside its policies, as what it returns. */
export function wrap(
  method: AnyMethod,
  key: string | symbol,
  signals: readonly number[],
  decoration: Decoration,
  use: UseOptions,
): AnyMethod {
  const { where } = decoration;
  return function decorated(this: object, ...args) {
    const route = routeOf(currentContext(), this, key);
    const given = signals.map((index): unknown => args[index]).find(isSignal);
    // Async, so that a mistake rejects as all else does that goes wrong here.
    const execute = async <T>(
      work: (result: unknown, signal: AbortSignal, where: string) => T,
      signal = given,
    ) =>
      ownPipelineOf(this, decoration).execute(
        (context) => {
          const filled = [...args];
          for (const index of signals) filled[index] = context.signal;
          // One attempt: clients that are called in it, however deep, are part of it.
          return extendContext({ signal: context.signal }, () =>
            work(method.apply(this, filled), context.signal, where),
          );
        },
        { ...callOptions(use, args, route), input: args, signal },
      );
    if (use.returns === "promise") return execute(promised);
    const stream = (): AsyncIterableIterator<unknown> =>
      lazyStream((leaving) => {
        const begin = async (): Promise<AsyncIterable<unknown>> => execute(streamed, leaving);
        return given === undefined ? begin() : extendContext({ signal: given }, begin);
      });
    return use.returns === "iterable" ? asGenerator(stream()) : defer(() => toObservable(stream()));
  };
}

/** What an `async *` method returns can do more than be read and left. */
function asGenerator(stream: AsyncIterableIterator<unknown>): AsyncIterableIterator<unknown> {
  const leave = async (): Promise<void> => void (await stream.return?.());
  return Object.assign(stream, {
    [Symbol.asyncDispose]: leave,
    async throw(error: unknown): Promise<never> {
      await leave();
      throw error;
    },
  });
}

function isSignal(value: unknown): value is AbortSignal {
  return value instanceof AbortSignal;
}

async function promised(result: unknown, _signal: AbortSignal, where: string): Promise<unknown> {
  const returns = isObservable(result) ? "observable" : isAsyncIterable(result) ? "iterable" : undefined;
  if (returns !== undefined)
    throw new ConfigError(`${where}: the method does not return a promise. Say { returns: "${returns}" }.`);
  const value = await result;
  if (!isObservable(value)) return value;
  throw new ConfigError(
    `${where}: the method promises an Observable, which would be subscribed to outside of the policies. Return the Observable itself.`,
  );
}

function streamed(result: unknown, signal: AbortSignal, where: string): AsyncIterable<unknown> {
  if (isObservable(result)) return toIterable(result);
  if (isAsyncIterable(result)) return extendContextOf({ signal }, result);
  throw new ConfigError(`${where}: the method returns no stream. Say { returns: "promise" }.`);
}

const alone = new WeakMap<Decoration, Pipeline>();

function ownPipelineOf(instance: Made, decoration: Decoration): Pipeline {
  const registry = instance[REGISTRY];
  if (registry !== undefined) return registry.decorated(decoration);
  const { use, where } = decoration;
  if (typeof use === "string") {
    throw new ConfigError(
      `${where}: the instance was not made by Nest, so it is in no application that could have a pipeline "${use}".`,
    );
  }
  let pipeline = alone.get(decoration);
  if (pipeline === undefined)
    alone.set(decoration, (pipeline = pipelineOf({ name: use.name }, use.policies)));
  return pipeline;
}

function callOptions(
  use: UseOptions,
  args: Args,
  route: { readonly safe: boolean } | undefined,
): CallOptions {
  const { tenant, cost, priority, deadline, idempotent = route?.safe ?? true } = use;
  return {
    // Nobody's name is nobody: else all that have none would share a cache.
    tenant: tenant?.(...args) || undefined,
    cost: cost?.(...args),
    priority: priority?.(...args),
    deadline,
    idempotent,
  };
}
