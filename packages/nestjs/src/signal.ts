import { ConfigError, currentContext } from "@breakwater/core";
import { createParamDecorator } from "@nestjs/common";

const SIGNALS = Symbol.for("breakwater.signal-parameters");

/**
 * Fires when what is being done is of no use any more: the browser has left, a clock ran out, the application closes.
 * Inside a decorated method it is the attempt's own. Undefined outside of any request and any decorated method.
 */
export function callSignal(): AbortSignal | undefined {
  return currentContext()?.signal;
}

const ofHandler = createParamDecorator(() => callSignal());

/**
 * A parameter that is filled with `callSignal()`: of a route handler, or of a method that `@UsePipeline` or
 * `@UsePolicies` decorates. Clients of Breakwater need no signal, wherever they are called; hand it to what else takes one.
 *
 * @example
 * ```ts
 * import { CallSignal, UsePolicies } from "@breakwater/nestjs";
 * import { retry } from "@breakwater/core";
 * import { Injectable } from "@nestjs/common";
 *
 * @Injectable()
 * class Pages {
 *   @UsePolicies(retry())
 *   async read(url: string, @CallSignal() signal?: AbortSignal) {
 *     return (await fetch(url, { signal: signal ?? null })).text();
 *   }
 * }
 * ```
 */
export function CallSignal(): ParameterDecorator {
  return (target, key, index) => {
    if (key === undefined) throw new ConfigError("@CallSignal() stands before a parameter of a method.");
    ofHandler()(target, key, index);
    Reflect.defineMetadata(SIGNALS, [...signalParameters(target, key), index], target, key);
  };
}

/** Which parameters of a method are to be filled with the signal. Not those of the method that it overrides, which has others. */
export function signalParameters(target: object, key: string | symbol): readonly number[] {
  return (Reflect.getOwnMetadata(SIGNALS, target, key) as readonly number[] | undefined) ?? [];
}
