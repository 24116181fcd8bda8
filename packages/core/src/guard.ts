import type { Call } from "./call.ts";
import { BreakwaterError, StoreError } from "./errors.ts";
import {
  type Any,
  chain,
  type Handler,
  type Host,
  isPromise,
  type MaybePromise,
  type Policy,
} from "./handler.ts";
import { failed, type Outcome, type Refusal, refused } from "./outcome.ts";
import { base, type PolicyBase } from "./policy-base.ts";
import { type SourceWatch, watchSource } from "./source.ts";
import type { OutageMode, StoreReply } from "./store.ts";
import { remember } from "./thrown.ts";

/** `enforce` acts; `shadow` only tells what it would have refused; `off` lets everything pass untouched. */
export type Mode = "enforce" | "shadow" | "off";

/** Not now: resolves when it is worth asking again, or with the refusal once waiting has become pointless. */
export interface Wait {
  readonly wait: () => Promise<Refusal | undefined>;
}

/** `undefined` admits. */
export type Judgement = Refusal | Wait | undefined;

/** A guard that decides by itself. */
export interface LocalGuard<Req> extends PolicyBase {
  mode?(): Mode;
  /** Checks against what the upstream says of itself; throws `ConfigError`. Runs when a client is made. */
  check?(host: Host): void;
  /** Registers its clean-up with `call.defer` and `call.hold` in the same breath as it admits. */
  admit(call: Call<Req>): MaybePromise<Judgement>;
}

/** A guard whose state is in a store: it says what to ask, how to judge the reply and what to settle at the end. */
export interface StoreGuard<Req, Ask, Reply> extends PolicyBase {
  mode?(): Mode;
  check?(host: Host): void;
  readonly store: {
    readonly shared?: true;
    decide(ask: Ask): MaybePromise<Reply>;
    decideAll?(asks: readonly Ask[]): MaybePromise<readonly Reply[]>;
  };
  /** Refuses, or waits, without asking the store. */
  before?(call: Call<Req>): Judgement;
  ask(call: Call<Req>): Ask;
  judge(reply: Reply, call: Call<Req>, ask: Ask): Judgement;
  /** Admitted: registers what is to be given back or recorded. Runs also for a call that was aborted meanwhile; its callbacks run at once then. */
  settle?(call: Call<Req>, reply: Reply, ask: Ask): void;
  /** Admitted though the store did not decide (`open`): nothing was taken, and who waited in line for it waits no more. */
  pass?(call: Call<Req>, ask: Ask): void;
  /** What is done when the store does not decide, and leaves it to the guard. `open` admits. @default a `StoreError` */
  outage?(): OutageMode | undefined;
}

/** @internal */
export interface GuardPolicy<Req> extends Policy<Req, Any> {
  readonly [GUARD]: StoreGuard<Req, Any, Any> | LocalGuard<Req>;
  /** Over a shared store. */
  readonly sources: SourceWatch | undefined;
}

/** @internal */
export const GUARD: unique symbol = Symbol.for("breakwater.guard");

/** @internal */
export function isGuard(policy: Policy): policy is GuardPolicy<Any> {
  return GUARD in policy;
}

/**
 * A policy that may refuse a call and may watch its end, and cannot change an outcome. So a fallback that covers a
 * failure can never hide it from a breaker further in: the mistake has nowhere to be written.
 *
 * @example
 * ```ts
 * import { createPipeline, guard } from "@breakwater/core";
 *
 * const weekends = guard("weekends", {
 *   name: "weekends",
 *   admit: (call) => (call.tenant === "intern" ? { by: "weekends", code: "CLOSED" } : undefined),
 * });
 * const outcome = await createPipeline(weekends).outcome(() => "hello", { tenant: "intern" });
 * outcome.status; // => "refused"
 * ```
 */
export function guard<Req = Any, Ask = Any, Reply = Any>(
  kind: string,
  spec: StoreGuard<Req, Ask, Reply> | LocalGuard<Req>,
): Policy<Req, Any> {
  const sources = "store" in spec && spec.store.shared === true ? watchSource(kind, spec.name) : undefined;
  const policy: GuardPolicy<Req> = {
    ...base(kind, spec),
    [GUARD]: spec,
    sources,
    ...(sources && { source: () => sources.last }),
    apply(next, host) {
      spec.check?.(host);
      const enter = "admit" in spec ? (call: Call<Req>) => spec.admit(call) : enterStore(policy, spec);
      return guarded(policy, spec.mode, enter, next);
    },
  };
  return policy;
}

/** @internal What a guard, or a group of them, says to a call. */
export type Enter<Req> = (call: Call<Req>) => MaybePromise<Judgement | StoreError>;

function guarded<Req, Res>(
  policy: Policy,
  mode: (() => Mode) | undefined,
  enter: Enter<Req>,
  next: Handler<Req, Res>,
): Handler<Req, Res> {
  return (call) => {
    const now = mode === undefined ? "enforce" : mode();
    if (now === "off" || !call.enter(policy)) return next(call);
    const judged = enter(call);
    // The common case by hand: admitted, in memory, at once.
    if (judged === undefined) return next(call);
    return isPromise(judged)
      ? proceedLater(call, judged, now, policy.name, enter, next)
      : proceed(call, judged, now, policy.name, enter, next);
  };
}

// Closures stand in functions of their own here: a function pays for one even when it does not get to it.
function proceedLater<Req, Res>(
  call: Call<Req>,
  judged: Promise<Judgement | StoreError>,
  mode: Mode,
  name: string,
  enter: Enter<Req>,
  next: Handler<Req, Res>,
): Promise<Outcome<Res>> {
  return judged.then((known) => proceed(call, known, mode, name, enter, next));
}

/** @internal What follows a judgement: on, wait and ask again, or out. */
export function proceed<Req, Res>(
  call: Call<Req>,
  judged: Judgement | StoreError,
  mode: Mode,
  name: string,
  enter: Enter<Req>,
  next: Handler<Req, Res>,
): MaybePromise<Outcome<Res>> {
  // Aborted while the store was asked: what it admitted has been given back by settle().
  if (call.aborted) return call.abortOutcome();
  if (judged === undefined) return next(call);
  if (mode === "shadow") {
    tellShadow(call, judged, name);
    return next(call);
  }
  if (judged instanceof StoreError) return failed(judged, { fault: "overload", retryable: true }, call.meta);
  if (!("wait" in judged)) return refuse(call, judged);
  return waitAndAsk(call, judged, mode, name, enter, next);
}

function waitAndAsk<Req, Res>(
  call: Call<Req>,
  judged: Wait,
  mode: Mode,
  name: string,
  enter: Enter<Req>,
  next: Handler<Req, Res>,
): Promise<Outcome<Res>> {
  return waitTurn(call, judged, name).then((refusal) =>
    refusal === undefined
      ? chain(call.aborted ? undefined : enter(call), (again) =>
          proceed(call, again, mode, name, enter, next),
        )
      : call.aborted
        ? call.abortOutcome()
        : refuse(call, refusal),
  );
}

function refuse<Req>(call: Call<Req>, refusal: Refusal): Outcome<never> {
  const { events } = call.host;
  if (events.listening) events.emit({ type: "call-refused", refusal }, call);
  return refused(refusal, call.meta);
}

async function waitTurn<Req>(call: Call<Req>, { wait }: Wait, policy: string): Promise<Refusal | undefined> {
  const { runtime, meta } = call;
  const { events } = call.host;
  const since = runtime.now();
  const refusal = await wait();
  const ms = runtime.now() - since;
  meta.waitedMs = (meta.waitedMs ?? 0) + ms;
  if (events.listening) events.emit({ type: "queue-wait", policy, ms }, call);
  return refusal;
}

function tellShadow<Req>(call: Call<Req>, judged: Refusal | Wait | StoreError, by: string): void {
  const { events } = call.host;
  if (!events.listening) return;
  if (judged instanceof StoreError) events.emit({ type: "store-fail", policy: by, error: judged }, call);
  else {
    const refusal = "wait" in judged ? { by, code: "WOULD_WAIT" } : judged;
    events.emit({ type: "would-refuse", refusal }, call);
  }
}

function enterStore<Req>(policy: GuardPolicy<Req>, spec: StoreGuard<Req, Any, Any>): Enter<Req> {
  return (call) => {
    let ask: unknown;
    try {
      const early = spec.before?.(call);
      if (early !== undefined) return early;
      ask = spec.ask(call);
    } catch (error) {
      throw callersOwn(error, call);
    }
    const askedAt = policy.sources === undefined ? 0 : call.runtime.now();
    let reply: MaybePromise<unknown>;
    try {
      reply = spec.store.decide(ask);
    } catch (error) {
      return storeFailed(call, policy.name, error, [policy], [ask], askedAt);
    }
    return isPromise(reply)
      ? judgeLater(policy, spec, call, ask, reply, askedAt)
      : judgeAndSettle(policy, spec, call, ask, reply, askedAt);
  };
}

/** @internal What a callback of the user's threw: a `key` that fails says nothing of the upstream. */
export function callersOwn<Req>(error: unknown, call: Call<Req>): unknown {
  if (BreakwaterError.isInstance(error)) return error;
  return remember(error, failed(error, { fault: "caller", retryable: false }, call.meta));
}

type AnyStoreGuard<Req> = StoreGuard<Req, Any, Any>;

function judgeAndSettle<Req>(
  { sources }: GuardPolicy<Req>,
  spec: AnyStoreGuard<Req>,
  call: Call<Req>,
  ask: unknown,
  reply: unknown,
  askedAt: number,
): Judgement {
  sources?.replied(reply as StoreReply, call, askedAt);
  const judged = sourced(sources, spec.judge(reply, call, ask));
  if (judged === undefined) spec.settle?.(call, reply, ask);
  return judged;
}

/** @internal A refusal while the store is away says so: it is another thing than a limit that is used up. */
export function sourced(sources: SourceWatch | undefined, judged: Judgement): Judgement {
  const source = sources?.last;
  if (judged === undefined || "wait" in judged || source === undefined || source === "store") return judged;
  return { ...judged, source };
}

function judgeLater<Req>(
  policy: GuardPolicy<Req>,
  spec: AnyStoreGuard<Req>,
  call: Call<Req>,
  ask: unknown,
  reply: Promise<unknown>,
  askedAt: number,
): Promise<Judgement | StoreError> {
  return reply.then(
    (known) => judgeAndSettle(policy, spec, call, ask, known, askedAt),
    (error: unknown) => storeFailed(call, policy.name, error, [policy], [ask], askedAt),
  );
}

/** @internal The store has not decided, and nothing stands in for it. */
export function storeFailed<Req>(
  call: Call<Req>,
  name: string,
  error: unknown,
  policies: readonly GuardPolicy<Req>[],
  asks: readonly unknown[],
  askedAt: number,
): StoreError | undefined {
  call.host.events.emit({ type: "store-fail", policy: name, error }, call);
  const specs = policies.map((policy) => policy[GUARD] as AnyStoreGuard<Req>);
  const open = specs.every((spec) => spec.outage?.() === "open");
  for (const { sources } of policies) sources?.failed(open ? "open" : "closed", call, askedAt);
  if (open) {
    for (const [i, spec] of specs.entries()) spec.pass?.(call, asks[i]);
    return undefined;
  }
  return StoreError.isInstance(error)
    ? error
    : new StoreError(`${name}: the store did not decide`, { cause: error, meta: call.meta });
}
