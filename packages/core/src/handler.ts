import type { Call } from "./call.ts";
import type { Description } from "./describe.ts";
import type { EventSink } from "./events.ts";
import type { Mark } from "./marks.ts";
import type { Outcome, Usage } from "./outcome.ts";
import type { ClientBudget } from "./policies/retry/client-budget.ts";
import type { Runtime } from "./runtime.ts";
import type { StoreSource } from "./store.ts";

/** A value, or a promise of it. What is in memory answers now, what is in Redis answers later; callers treat both alike. */
export type MaybePromise<T> = T | Promise<T>;

/** The one type that everything else is made of: a call goes in, an outcome comes out. It does not throw. */
export type Handler<Req, Res> = (call: Call<Req>) => MaybePromise<Outcome<Res>>;

// oxlint-disable-next-line typescript/no-explicit-any -- a policy that does not care fits every client; see test/types.test-d.ts
export type Any = any;

/**
 * Turns one handler into another. Its state lives in the policy, so one breaker can protect two clients.
 * Write one with `guard` or `around` rather than by hand.
 */
export interface Policy<Req = Any, Res = Any> {
  /** What it is, in kebab-case: `retry`, `rate-limit`. */
  readonly kind: string;
  /** Which one it is; events, refusals and `describe()` say it. */
  readonly name: string;
  apply(next: Handler<Req, Res>, host: Host): Handler<Req, Res>;
  /** The effective options, valid as configuration again. */
  describe?(): Readonly<Record<string, unknown>> | Description;
  /** The state of this moment, as plain data; a copy. */
  snapshot?(): unknown;
  /** Over a shared store: where its last decision came from. */
  source?(): StoreSource | undefined;
  /** Changes options while calls run. Validated first and applied whole or not at all; windows, permits and budgets stay. */
  update?(options: Readonly<Record<string, unknown>>): void;
  /** The policies that a pipeline is made of, outermost first. */
  readonly parts?: readonly Policy<Req, Res>[];
}

/** A policy whose options can be changed while calls run. */
export type Updatable<Options, Req = Any, Res = Any> = Policy<Req, Res> & {
  /** Validated first and applied whole or not at all; windows, permits and budgets stay. */
  update(changes: Partial<Options>): void;
};

/** What a client offers the policies that are applied inside it. */
export interface Host {
  readonly name: string;
  readonly runtime: Runtime;
  readonly events: EventSink;
  /** What the upstream says of itself; `undefined` when the upstream is only known at each call. */
  readonly traits: UpstreamTraits<Any, Any> | undefined;
  /** One budget per client, shared by retries and hedges, so that together they cannot multiply the load. */
  readonly budget: ClientBudget;
  /** Counts a detached call among those that `drain()` waits for. */
  track(call: Call<Any>): void;
}

/** What an upstream says of itself, so that policies need not know it. Travels with it through `createClient`. */
export interface UpstreamTraits<Req, Res> {
  /** What `describe()`, events and `meta.target` call it. */
  readonly name?: string;
  /** Canonical identity of a request: equal keys may share one answer. `undefined`: this request is not cacheable. */
  readonly key?: (request: Req) => string | undefined;
  /** Tokens to be reserved for this request before it is sent: what it will probably use, or may use at most. */
  readonly cost?: (request: Req) => Usage;
  /** How an answer is stored and given out again. Without it a stream is stored as the list of its items. */
  readonly codec?: Codec<Res, Req>;
  /** Which marks it makes. A clock over a mark that never comes is refused at construction. */
  readonly marks?: readonly Mark[];
  /**
   * Told of every call of a client around it before any policy sees it, also of those that never reach it: what a cache
   * answers can be counted so. It may watch the call and `defer`, not change it, and must not throw.
   */
  readonly onCall?: (call: Call<Req>) => void;
}

/** What a complete answer is once nothing of it is missing: itself, and of a stream the list of its items. */
export type Complete<Res> = Res extends AsyncIterable<infer Item> ? readonly Item[] : Res;

/** An answer that comes whole. */
type WholeOf<Res> = Exclude<Res, AsyncIterable<unknown>>;

/** What an answer that is streamed comes in. */
type ItemOf<Res> = Res extends AsyncIterable<infer I> ? I : never;

/** How answers are kept and given out again; see `cache`. */
export interface Codec<Res, Req = Any> {
  /** Size in bytes, for the cache's bound. @default estimated from the strings and members in it */
  size?(value: Complete<Res>): number;
  /** Whether this complete answer may be given to somebody else. @default true */
  storable?(value: Complete<Res>): boolean;
  /**
   * A copy, so that a reader who changes an answer does not change the next reader's. Of a stream also single items
   * are copied, as a list of one. @default plain data is copied, anything else is neither kept nor shared
   */
  copy?(value: Complete<Res>): Complete<Res>;
  /**
   * For an upstream that gives the same answer whole or as a stream, as the request asks: makes one of the other, so
   * that whoever wants it whole is given what was streamed to somebody else, and the other way round. Then the key must
   * not tell the two apart, and all answers are kept whole: that is what `storable` and `size` see.
   */
  readonly shapes?: Shapes<Res, Req>;
}

/** The two shapes of one answer; see `Codec.shapes`. */
export interface Shapes<Res, Req = Any> {
  /** Whether this request asks for a stream. */
  streams(request: Req): boolean;
  /** Begins to put a stream together. */
  assemble(): Assembly<WholeOf<Res>, ItemOf<Res>>;
  /**
   * Takes a whole answer apart, for this request. The items share nothing with it.
   *
   * @param cuts where the assembly found the borders of the items; undefined for an answer that came whole
   */
  pieces(whole: WholeOf<Res>, cuts: unknown, request: Req): Iterable<ItemOf<Res>>;
}

/** A stream that is put together while it comes. */
export interface Assembly<Whole, Item> {
  /** What it takes up so far. */
  readonly bytes: number;
  /** Takes in the next item, and does not change it. */
  add(item: Item): void;
  /** All items are in. `cuts`: plain data from which `Shapes.pieces` makes the same items again. */
  finish(): { readonly whole: Whole; readonly cuts: unknown };
}

/** A handler that really calls something, together with what it says of itself. */
export type Upstream<Req, Res> = Handler<Req, Res> & { readonly traits?: UpstreamTraits<Req, Res> };

export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}

/**
 * `f(value)` now, or when the promise resolves: what is in memory costs no microtask.
 * Not named `then`: a module that exports `then` is a thenable, and `await import()` of it never ends well.
 */
export function chain<T, U>(value: MaybePromise<T>, f: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return isPromise(value) ? value.then(f) : f(value);
}
