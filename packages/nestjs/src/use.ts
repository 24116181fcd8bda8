import {
  type CallOptions,
  ConfigError,
  createPipeline,
  currentContext,
  type Duration,
  lazyStream,
  type Pipeline,
  type Policy,
  type Priority,
  readOptions,
  type Usage,
} from "@breakwater/core";
import { extendContext } from "@breakwater/http";
import { Inject } from "@nestjs/common";
import { defer, isObservable, type Observable } from "rxjs";

import { decorate, type Made, REGISTRY } from "./decorations.ts";
import { BreakwaterRegistry, type Decoration, isPolicy, policiesOf } from "./registry.ts";
import { routeOf } from "./route.ts";
import { signalParameters } from "./signal.ts";
import { isAsyncIterable, type Run, stepping, toIterable, toObservable } from "./streams.ts";

// Of a method that is only known where it is decorated.
// oxlint-disable-next-line typescript/no-explicit-any
type Args = any[];

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

/** Decorates a method that returns a promise, an Observable or an async iterable. */
export type UseDecorator<A extends Args = Args> = <
  M extends (...args: A) => Promise<unknown> | Observable<unknown> | AsyncIterable<unknown>,
>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void;

/**
 * Runs a method of a provider or a controller inside the pipeline of that name. Policies see the array of its
 * arguments as the request: `rateLimit({ key: ([userId]) => userId, … })`. A permit is held until the promise settles,
 * or until the last item of a stream. Who never subscribes or reads takes nothing.
 *
 * Methods that use one name share its state. Of several decorators the first is the outermost.
 *
 * @throws ConfigError when the application starts, if there is no pipeline of that name.
 *
 * @example
 * ```ts
 * import { UsePipeline } from "@breakwater/nestjs";
 * import { Injectable } from "@nestjs/common";
 *
 * @Injectable()
 * class SearchService {
 *   @UsePipeline("search", { tenant: (words: string, team: string) => team })
 *   async find(words: string, team: string) {
 *     return [`${words} for ${team}`];
 *   }
 * }
 * ```
 */
export function UsePipeline<A extends Args = Args>(
  name: string,
  options: UseOptions<A> = {},
): UseDecorator<A> {
  return decorator(() => name, `@UsePipeline("${name}")`, options);
}

/**
 * Runs a method inside policies of its own; the first is the outermost. Otherwise as `@UsePipeline`.
 *
 * The state of a policy lives in the policy, so a method has one state, however many instances its class has. Where
 * several applications live in one process, as in tests, give a function: each application makes its own.
 *
 * @example
 * ```ts
 * import { circuitBreaker, retry } from "@breakwater/core";
 * import { UsePolicies } from "@breakwater/nestjs";
 * import { Injectable } from "@nestjs/common";
 *
 * @Injectable()
 * class Prices {
 *   @UsePolicies(retry({ attempts: 2 }), circuitBreaker({ name: "prices" }))
 *   async of(item: string) {
 *     return item.length;
 *   }
 * }
 * await new Prices().of("boat"); // => 4
 * ```
 */
export function UsePolicies(...policies: readonly Policy[]): UseDecorator;
export function UsePolicies(policies: () => readonly Policy[]): UseDecorator;
export function UsePolicies<A extends Args = Args>(
  options: UseOptions<A> & { readonly name?: string },
  ...policies: readonly Policy[] | readonly [() => readonly Policy[]]
): UseDecorator<A>;
export function UsePolicies(...given: readonly unknown[]): UseDecorator {
  const [first] = given;
  const hasOptions = typeof first === "object" && first !== null && !isPolicy(first) && !Array.isArray(first);
  const { name, ...options } = (hasOptions ? first : {}) as UseOptions & { readonly name?: string };
  const rest = hasOptions ? given.slice(1) : given;
  const isSource = rest.length === 1 && typeof rest[0] === "function";
  // A function is asked by each application; of a list a mistake is told where it stands.
  const policies = isSource ? (rest[0] as () => readonly Policy[]) : policiesOf(rest as readonly Policy[]);
  return decorator((owner) => ({ name: name ?? owner, policies }), "@UsePolicies(…)", options);
}

function decorator(
  use: (owner: string) => Decoration["use"],
  what: string,
  options: UseOptions,
): UseDecorator {
  return (target, key, descriptor) => {
    const method = (descriptor as TypedPropertyDescriptor<unknown> | undefined)?.value;
    if (typeof key === "object")
      throw new ConfigError(`${what} needs "experimentalDecorators", as all decorators of Nest do.`);
    const type = typeof target === "function" ? target.name : target.constructor.name;
    const owner = key === undefined ? type : `${type}.${String(key)}`;
    const where = `${owner}: ${what}`;
    if (typeof method !== "function" || typeof target === "function")
      throw new ConfigError(`${where} decorates methods of instances, and this is none.`);

    check(where, options);
    const { kind, mistake } = kindOf(method, target, key, options);
    const decoration: Decoration = { where, use: use(owner), ...(mistake && { mistake }) };
    decorate(target, decoration);
    injectRegistry(target);
    const decorated = wrap(method as AnyMethod, key, signalParameters(target, key), decoration, {
      ...options,
      returns: kind,
    });
    // Decorators below have left their metadata on the method; those above leave theirs on what stands there now.
    for (const name of Reflect.getMetadataKeys(method))
      Reflect.defineMetadata(name, Reflect.getMetadata(name, method), decorated);
    kinds.set(decorated, kind);
    for (const name of ["name", "length"] as const)
      Object.defineProperty(decorated, name, { value: method[name], configurable: true });
    (descriptor as TypedPropertyDescriptor<unknown>).value = decorated;
  };
}

function check(where: string, given: UseOptions): void {
  const options = readOptions(where, given);
  for (const name of ["tenant", "cost", "priority"]) options.callback(name);
  options.optionalDuration("deadline");
  options.flag("idempotent", true);
  options.oneOf("returns", ["promise", "observable", "iterable"], "promise");
  options.done();
}

type Kind = NonNullable<UseOptions["returns"]>;
type AnyMethod = (this: object, ...args: Args) => unknown;

function wrap(
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
    const execute = async <T>(work: (result: unknown, attempt: Run, where: string) => T, signal = given) =>
      pipelineOf(this, decoration).execute(
        (context) => {
          // One attempt: clients that are called in it, however deep, are part of it.
          const attempt: Run = (f) => extendContext({ signal: context.signal }, f);
          const filled = [...args];
          for (const index of signals) filled[index] = context.signal;
          return attempt(() => work(method.apply(this, filled), attempt, where));
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

async function promised(result: unknown, _attempt: Run, where: string): Promise<unknown> {
  const returns = isObservable(result) ? "observable" : isAsyncIterable(result) ? "iterable" : undefined;
  if (returns !== undefined)
    throw new ConfigError(`${where}: the method does not return a promise. Say { returns: "${returns}" }.`);
  const value = await result;
  if (!isObservable(value)) return value;
  throw new ConfigError(
    `${where}: the method promises an Observable, which would be subscribed to outside of the policies. Return the Observable itself.`,
  );
}

function streamed(result: unknown, attempt: Run, where: string): AsyncIterable<unknown> {
  if (isObservable(result)) return toIterable(result);
  if (isAsyncIterable(result)) return stepping(result, attempt);
  throw new ConfigError(`${where}: the method returns no stream. Say { returns: "promise" }.`);
}

const alone = new WeakMap<Decoration, Pipeline>();

function pipelineOf(instance: Made, decoration: Decoration): Pipeline {
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
    alone.set(decoration, (pipeline = createPipeline({ name: use.name }, ...policiesOf(use.policies))));
  return pipeline;
}

function callOptions(
  use: UseOptions,
  args: Args,
  route: { readonly safe: boolean } | undefined,
): CallOptions {
  const { tenant, cost, priority, deadline, idempotent = route?.safe ?? true } = use;
  return {
    tenant: tenant?.(...args),
    cost: cost?.(...args),
    priority: priority?.(...args),
    deadline,
    idempotent,
  };
}

/** Nest gives each instance the registry of its application, also to those of a request and to those of subclasses. */
function injectRegistry(prototype: object): void {
  if (REGISTRY in prototype) return;
  Object.defineProperty(prototype, REGISTRY, {
    get: () => undefined,
    // Not enumerable: nobody who prints or compares the instance wants to see it.
    set(this: object, value: unknown) {
      Object.defineProperty(this, REGISTRY, { value, configurable: true });
    },
    configurable: true,
  });
  Inject(BreakwaterRegistry)(prototype, REGISTRY);
}

/** Of methods that are decorated already: they do not look like what they were any more. */
const kinds = new WeakMap<object, Kind>();

function kindOf(
  method: object,
  target: object,
  key: string | symbol,
  { returns }: UseOptions,
): { readonly kind: Kind; readonly mistake?: string } {
  const known = returns ?? kinds.get(method);
  if (known !== undefined) return { kind: known };
  const { name } = method.constructor;
  if (name === "AsyncFunction") return { kind: "promise" };
  if (name === "AsyncGeneratorFunction") return { kind: "iterable" };
  const declared: unknown = Reflect.getMetadata("design:returntype", target, key);
  if (typeof declared === "function" && isObservable(declared.prototype)) return { kind: "observable" };
  if (declared !== Object) return { kind: "promise" };
  return {
    kind: "promise",
    mistake:
      'what the method returns cannot be seen from its declaration. Say { returns: "promise" }, "observable" or "iterable", or make it async.',
  };
}
