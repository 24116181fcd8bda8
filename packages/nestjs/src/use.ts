import { ConfigError, type Policy, readOptions } from "@breakwater/core";
import { Inject } from "@nestjs/common";
import { isObservable, type Observable } from "rxjs";

import { type AnyMethod, type Args, type Kind, type UseOptions, wrap } from "./decorated.ts";
import { decorate, REGISTRY } from "./decorations.ts";
import { pipelineOf, type PolicySource } from "./policies.ts";
import { BreakwaterRegistry, type Decoration } from "./registry.ts";
import { signalParameters } from "./signal.ts";

/** Decorates a method that returns a promise, an Observable or an async iterable. */
export type UseDecorator<A extends Args = Args> = <
  M extends (...args: [...A, ...Args]) => Promise<unknown> | Observable<unknown> | AsyncIterable<unknown>,
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
  if (typeof name !== "string" || name === "")
    throw new ConfigError(
      `@UsePipeline(…): the name of a pipeline must be given, got ${JSON.stringify(name)}.`,
    );
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
  const hasOptions =
    typeof first === "object" && first !== null && !("apply" in first) && !Array.isArray(first);
  const { name, ...options } = (hasOptions ? first : {}) as UseOptions & { readonly name?: string };
  const rest = hasOptions ? given.slice(1) : given;
  const isSource = rest.length === 1 && typeof rest[0] === "function";
  const policies = (isSource ? rest[0] : rest) as PolicySource;
  if (!isSource) pipelineOf({}, policies); // a function is asked by each application; a mistake in a list is told where it stands
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

/** Nest gives each instance the registry of its application, also to those of a request and to those of subclasses. */
function injectRegistry(prototype: object): void {
  if (REGISTRY in prototype) return;
  Object.defineProperty(prototype, REGISTRY, {
    get: () => undefined,
    // Not enumerable: nobody who prints or compares the instance wants to see it.
    set(this: object, value: unknown) {
      Object.defineProperty(this, REGISTRY, { value, configurable: true, writable: true });
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
