import type { CallOptions } from "./call-options.ts";

/**
 * What is known of the request that is being served, so that clients deep inside need not be handed it: the signal
 * that fires when the browser leaves, tenant, deadline, priority, call id. Adapters open it; `createClient` reads it.
 */
export interface CallContext extends Omit<CallOptions, "deadline" | "cost"> {
  /** Absolute, on the wall clock in ms since 1970: a context outlives the moment in which its deadline was set. */
  readonly deadlineAt?: number | undefined;
}

interface Carrier {
  getStore(): CallContext | undefined;
}

// A registered symbol: two copies of this package share the one context of the process.
const CARRIER = Symbol.for("breakwater.call-context");
type Global = typeof globalThis & { [CARRIER]?: Carrier };

/** The context of the request that is being served, if an adapter opened one. */
export function currentContext(): CallContext | undefined {
  return (globalThis as Global)[CARRIER]?.getStore();
}

/**
 * Registers what carries the context through asynchronous work; the first one stays. For adapters: core runs
 * anywhere and so names no `AsyncLocalStorage`.
 */
export function provideContext<C extends Carrier>(create: () => C): C {
  return ((globalThis as Global)[CARRIER] ??= create()) as C;
}
