import type { Call } from "../../call.ts";
import type { Duration } from "../../duration.ts";
import { guard, type Mode } from "../../guard.ts";
import { type Any, chain, type MaybePromise, type Updatable } from "../../handler.ts";
import { configure, readOptions } from "../../options.ts";
import type { Ending, Scope } from "../../outcome.ts";
import type { Runtime } from "../../runtime.ts";
import { type OutageMode, readStore } from "../../store.ts";
import type { Admission, BreakerConfig, Result, Ticket, Transition } from "./states.ts";
import { type BreakerAsk, type BreakerStore, createMemoryBreakerStore } from "./store.ts";
import type { WindowOptions } from "./window.ts";

export interface CircuitBreakerOptions<Req = Any> {
  /** @default "circuit-breaker" */
  readonly name?: string;
  /** @default "enforce" */
  readonly mode?: Mode;
  /** What is looked at: `{ calls: 100 }`, or a time such as "30s". @default "30s" */
  readonly window?: Duration | { readonly calls: number };
  /** Opens at this share of failures, or more: 0.5 is one half. @default 0.5 */
  readonly failureRate?: number;
  /** Dispatch to first token (to the answer, where there are no tokens) from which a call is slow. @default off */
  readonly slowCall?: Duration;
  /** Opens at this share of slow calls, or more. @default 1 */
  readonly slowRate?: number;
  /** Fewer calls in the window say nothing. @default 20 */
  readonly minimumCalls?: number;
  /** How long it stays open; doubled each time that it opens again before it was well. @default "5s" */
  readonly openFor?: Duration;
  /** @default "1m" */
  readonly maxOpenFor?: Duration;
  /** Calls let through at once when it may be well again; all must succeed. @default 1 */
  readonly probes?: number;
  /** A probe that says nothing for this long is given up. @default "1m" */
  readonly probeLease?: Duration;
  /** After closing, the share of calls let through grows to all within this time. @default 0 */
  readonly ramp?: Duration;
  /** One circuit for each key. @default one for all */
  readonly key?: (request: Req, call: Call<Req>) => string | undefined;
  /** Counts only failures of this scope: an account's breaker knows nothing of a reset connection. @default all */
  readonly scope?: Scope;
  /** Whether an ending is a failure; `undefined`: it says nothing, and is not counted. @default failed, by fault of the upstream */
  readonly when?: (ending: Ending) => boolean | undefined;
  /** An ending that opens at once, whatever the rate: a 402 of an account. */
  readonly trip?: (ending: Ending) => boolean;
  /**
   * Where circuits are kept. With a shared store each process counts its own calls, one that is sick is open for itself
   * alone, and once enough of them are it is open for all, tried by one for all, and closed for all. @default this process
   */
  readonly store?: BreakerStore;
  /** What is done while a shared store is away. @default "local": this process's own circuit */
  readonly outage?: OutageMode;
}

/** A breaker that can be held open or closed by hand. */
export interface CircuitBreaker<Req = Any> extends Updatable<CircuitBreakerOptions<Req>, Req, Any> {
  /**
   * Beats every automatic transition, until `undefined` gives it back; over a shared store in all processes. While that
   * is away it holds in this one, and the others are told later.
   */
  force(to: "open" | "closed" | undefined, key?: string): MaybePromise<void>;
}

/**
 * Stops asking an upstream that fails, and tries it again later with a few probes.
 *
 * Counted is what was sent and came to a verdict of the upstream's doing, at the end of a stream rather than at its
 * headers. Refusals, cancellations, 429s, mistakes of the caller and cached answers are not in the denominator. A
 * probe counts as well from its first token on; should it fail later, the circuit opens again. Results of calls from
 * before the last transition change nothing.
 *
 * Refuses with `CIRCUIT_OPEN` and `retryAfterMs`.
 *
 * @example
 * ```ts
 * import { circuitBreaker, createPipeline } from "@breakwater/core";
 *
 * const guarded = createPipeline(circuitBreaker({ window: { calls: 2 }, minimumCalls: 2 }));
 * const fail = () => guarded.outcome(() => Promise.reject(new Error("down")));
 * await fail();
 * await fail();
 * (await fail()).status; // => "refused"
 * ```
 */
export function circuitBreaker<Req = Any>(options: CircuitBreakerOptions<Req> = {}): CircuitBreaker<Req> {
  const settings = configure(options, read<Req>);
  const { name, store } = settings.now;
  // State is asked for outside of calls as well (snapshot, force): by the clock of the client that it was last used in.
  let runtime: Runtime | undefined;
  const now = (): number => runtime?.now() ?? 0;

  const policy = guard<Req, BreakerAsk, Admission>("circuit-breaker", {
    ...settings.face,
    store,
    check: (host) => void (runtime = host.runtime),
    snapshot: () => store.snapshot(name, now()),
    outage: () => settings.now.outage,
    ask(call) {
      const { key: keyOf, machine: config, outage } = settings.now;
      const { version } = settings;
      const key = keyOf?.(call.request, call) ?? "";
      const at = call.runtime.now();
      const random = config.rampMs === 0 ? 0 : call.runtime.random();
      // Written out twice: a spread takes longer than the rest of the guard.
      return store.shared === true
        ? { kind: "breaker", name, key, config, now: at, random, outage, version }
        : { kind: "breaker", name, key, config, now: at, random };
    },
    judge(admission, call, { key }) {
      if ("ticket" in admission) return undefined;
      tell(call, name, key, admission.transition, store);
      return { by: name, code: "CIRCUIT_OPEN", retryAfterMs: admission.retryAfterMs };
    },
    settle(call, admission, ask) {
      const { ticket, transition: entered } = admission as Extract<Admission, { readonly ticket: Ticket }>;
      let begun = false;
      const tellOf = (change: MaybePromise<Transition | undefined>): void => {
        if (change !== undefined)
          void chain(change, (transition) => tell(call, name, ask.key, transition, store));
      };
      tellOf(entered);
      call.watch((mark, at) => {
        if (mark !== "token" || begun) return;
        begun = true;
        const { scope, slowCallMs } = settings.now;
        if (scope !== undefined) return; // it knows of failures of one kind only, so a first token tells it nothing
        const slow = slowCallMs !== undefined && at - (call.dispatchedAt ?? at) > slowCallMs;
        tellOf(store.provisional(ask, ticket, at, slow));
      });
      call.defer((ending) => {
        const config = settings.now;
        const result = resultOf(ending, config);
        const slow = result !== "ignored" && isSlow(ending, config.slowCallMs);
        const trip = result === "failure" && config.trip?.(ending) === true;
        tellOf(store.record(ask, ticket, { result, slow, trip, now: ending.endedAt }));
      });
    },
  });
  return Object.assign(policy, {
    update: settings.update,
    force: (to: "open" | "closed" | undefined, key = "") =>
      store.force(name, key, settings.now.machine, to, now()),
  });
}

function resultOf(
  ending: Ending,
  {
    scope,
    when,
  }: {
    readonly scope: Scope | undefined;
    readonly when: CircuitBreakerOptions["when"] | undefined;
  },
): Result {
  if (ending.status === "refused" || ending.status === "cancelled") return "ignored";
  if (ending.dispatchedAt === undefined) return "ignored"; // from a cache further in, or never sent
  if (when !== undefined) {
    const failure = when(ending);
    return failure === undefined ? "ignored" : failure ? "failure" : "success";
  }
  if (ending.status === "answered") return "success";
  if (ending.fault !== "upstream") return "ignored";
  return scope === undefined || ending.scope === scope ? "failure" : "ignored";
}

function isSlow({ dispatchedAt, firstTokenAt, endedAt }: Ending, slowCallMs: number | undefined): boolean {
  if (slowCallMs === undefined || dispatchedAt === undefined) return false;
  return (firstTokenAt ?? endedAt) - dispatchedAt > slowCallMs;
}

function tell(
  call: Call<Any>,
  policy: string,
  key: string,
  transition: Transition | undefined,
  store: BreakerStore,
): void {
  const { events } = call.host;
  if (transition === undefined || !events.listening) return;
  if (transition === "open") {
    const openForMs = store.snapshot(policy, call.runtime.now())[key]?.openForMs ?? 0;
    events.emit({ type: "breaker-open", policy, key, openForMs }, call);
  } else events.emit({ type: `breaker-${transition}`, policy, key }, call);
}

function read<Req>(options: CircuitBreakerOptions<Req>) {
  const reader = readOptions("circuitBreaker", options);
  const share = (name: "failureRate" | "slowRate", fallback: number): number => {
    const given = options[name];
    if (typeof given === "number" && given > 1 && given <= 100) {
      reader.fail(`${name} is a share between 0 and 1, got ${given}; for ${given} % write ${given / 100}.`);
    }
    return reader.number(name, fallback, { min: Number.EPSILON, max: 1 });
  };
  const window = ((): WindowOptions => {
    const given = reader.raw<unknown>("window");
    if (typeof given === "object") {
      return {
        calls: readOptions("circuitBreaker: window", given).count("calls", undefined, {
          min: 1,
          max: 100_000,
        }),
      };
    }
    const ms = reader.duration("window", 30_000);
    return ms > 0 ? { ms } : reader.fail("window must be longer than 0.");
  })();
  const machine: BreakerConfig = {
    window,
    failureRate: share("failureRate", 0.5),
    slowRate: share("slowRate", 1),
    minimumCalls: reader.count("minimumCalls", "calls" in window ? Math.min(20, window.calls) : 20),
    openForMs: reader.duration("openFor", 5_000),
    maxOpenForMs: reader.duration("maxOpenFor", 60_000),
    probes: reader.count("probes", 1),
    probeLeaseMs: reader.duration("probeLease", 60_000),
    rampMs: reader.duration("ramp", 0),
  };
  const { store, outage } = readStore<BreakerStore>(reader, options, "decide");
  const config = {
    name: reader.text("name", "circuit-breaker"),
    mode: reader.oneOf<Mode>("mode", ["enforce", "shadow", "off"], "enforce"),
    machine,
    slowCallMs: reader.optionalDuration("slowCall"),
    key: reader.callback<NonNullable<CircuitBreakerOptions<Req>["key"]>>("key"),
    scope: reader.raw<Scope>("scope"),
    when: reader.callback<NonNullable<CircuitBreakerOptions<Req>["when"]>>("when"),
    trip: reader.callback<NonNullable<CircuitBreakerOptions<Req>["trip"]>>("trip"),
    store: store ?? createMemoryBreakerStore(),
    outage,
    effective: reader.done(),
  };
  if ("calls" in window && machine.minimumCalls > window.calls) {
    reader.fail(
      `minimumCalls (${machine.minimumCalls}) is more than the window holds (${window.calls}): it would never open.`,
    );
  }
  if (machine.maxOpenForMs < machine.openForMs) reader.fail("maxOpenFor must not be shorter than openFor.");
  return config;
}
