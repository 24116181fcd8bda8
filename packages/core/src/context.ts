import type { CallOptions } from "./call-options.ts";

/**
 * What is known of the request that is being served, so that clients deep inside need not be handed it: the signal
 * that fires when the browser leaves, tenant, deadline, priority, call id. Adapters open it; `createClient` reads it.
 * With a call's own signal in it, what is called in it is inside that call, as if it had been handed the signal.
 */
export interface CallContext extends Omit<CallOptions, "deadline" | "cost" | "idempotent"> {
  /** Absolute, on the wall clock in ms since 1970: a context outlives the moment in which its deadline was set. */
  readonly deadlineAt?: number | undefined;
}

interface Carrier {
  getStore(): CallContext | undefined;
  /** Runs `f` in another context. Without it, shared work keeps the context of whoever started it. */
  run?<T>(context: CallContext, f: () => T): T;
}

// A registered symbol: two copies of this package share the one context of the process.
const CARRIER = Symbol.for("breakwater.call-context");
type Global = typeof globalThis & { [CARRIER]?: Carrier };

/** The context of the request that is being served, if an adapter opened one. */
export function currentContext(): CallContext | undefined {
  return (globalThis as Global)[CARRIER]?.getStore();
}

/**
 * @internal Runs shared work in the context of whoever starts it, except for what ends that one: it goes on without
 * him, and what it calls without handing its signal on is inside it all the same.
 */
export function apart<C extends { readonly signal: AbortSignal }, T>(call: C, f: (call: C) => T): T {
  const carrier = (globalThis as Global)[CARRIER];
  const context = carrier?.getStore();
  if (carrier?.run === undefined || context === undefined) return f(call);
  return carrier.run({ ...context, signal: call.signal, deadlineAt: undefined }, () => f(call));
}

/**
 * Registers what carries the context through asynchronous work; the first one stays. For adapters: core runs
 * anywhere and so names no `AsyncLocalStorage`.
 */
export function provideContext<C extends Carrier>(create: () => C): C {
  return ((globalThis as Global)[CARRIER] ??= create()) as C;
}
