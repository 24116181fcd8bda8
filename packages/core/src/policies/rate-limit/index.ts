import type { Call } from "../../call.ts";
import type { Duration } from "../../duration.ts";
import { ConfigError } from "../../errors.ts";
import { guard, type Mode } from "../../guard.ts";
import { type Any, isPromise, type Updatable } from "../../handler.ts";
import { configure, readOptions } from "../../options.ts";
import type { Ending, Usage } from "../../outcome.ts";
import type { Runtime } from "../../runtime.ts";
import { type OutageMode, readStore } from "../../store.ts";
import { type RateLimits, rulesOf, tokensOf } from "./limits.ts";
import {
  createMemoryRateLimitStore,
  type RateAdjustment,
  type RateLimitAsk,
  type RateLimitReply,
  type RateLimitStore,
  type RateRules,
} from "./store.ts";
import { createTurns } from "./turns.ts";

export interface RateLimitOptions<Req = Any> {
  /** @default "rate-limit" */
  readonly name?: string;
  /** @default "enforce" */
  readonly mode?: Mode;
  /** Requests, tokens or both; or a function that says them for a call: by plan, by model. A key keeps what it has left when they change. */
  readonly limits: RateLimits | ((call: Call<Req>) => RateLimits);
  /** Limits each key apart; calls without one share a limit of their own. @default one limit for all */
  readonly key?: (request: Req, call: Call<Req>) => string | undefined;
  /** Tokens to reserve for a request: what it will probably use, or may use at most. @default what the call says, else what the upstream says, else 0 */
  readonly cost?: (request: Req, call: Call<Req>) => number | Usage;
  /** How long a call may wait for its turn. @default 0: refuse at once */
  readonly wait?: Duration;
  /** How many calls may wait, for each key. @default 1_000 */
  readonly queue?: number;
  /** Keys kept at most, in memory; those that have all of their limit again are forgotten first. @default 10_000 */
  readonly maxKeys?: number;
  /** Where limits are counted. @default this process */
  readonly store?: RateLimitStore;
  /** What is done while a shared store is away. @default "local": this process's share of the limits */
  readonly outage?: OutageMode;
}

/**
 * Lets so many requests, and so many tokens, pass in so much time. Both are decided together: a call that is refused
 * for its tokens has not used up a request.
 *
 * Tokens are reserved before a call is sent and settled when it has ended: what it did not use is given back, what it
 * used on top is owed, and later calls wait for it. A call that was refused further in, turned away by the upstream
 * (429) or never sent costs no tokens, and no request unless it was sent. A call that broke or was cancelled costs what
 * its upstream estimates, `deepseekUpstream` by the tokens that came; where it tells no `usage` at all, what was reserved.
 * Outside of a retry it is the latest attempt that counts; inside, each for itself. A call that asks for more than the
 * whole bucket holds goes when the bucket is full.
 *
 * Refuses with `RATE_LIMITED`, and with the `retryAfterMs` after which the same call alone would pass: exact to the
 * millisecond, unless others wait in line, where it is an estimate. Waiting is bounded by `wait` and by the call's
 * deadline; a wait that cannot fit is refused now. Who waits is served in order and never overtaken.
 *
 * @throws ConfigError in a call, when `limits`, `cost` or the call's own cost turn out to be no such thing.
 *
 * @example
 * ```ts
 * import { createPipeline, rateLimit } from "@breakwater/core";
 *
 * const twice = createPipeline(rateLimit({ limits: { requests: { limit: 2, per: "1m" } } }));
 * const outcomes = await Promise.all([1, 2, 3].map((n) => twice.outcome(() => n)));
 * outcomes.map((outcome) => outcome.status); // => ["answered", "answered", "refused"]
 * ```
 */
export function rateLimit<Req = Any>(
  options: RateLimitOptions<Req>,
): Updatable<RateLimitOptions<Req>, Req, Any> {
  const settings = configure(options, read<Req>, () => turns.callUpAll());
  const { name, store } = settings.now;
  const turns = createTurns(name, () => settings.now);
  /** What a call that waits asks for: its callbacks are asked once, however often it asks the store. */
  const known = new WeakMap<Call<Req>, Demand>();
  const rules = new WeakMap<RateLimits, RateRules>();
  // The state is looked at outside of calls as well: by the clock of the client that it was last used in.
  let runtime: Runtime | undefined;

  function rulesFor(call: Call<Req>): RateRules {
    const { limits } = settings.now;
    const given = typeof limits === "function" ? limits(call) : limits;
    let numbers = rules.get(given);
    if (numbers === undefined) {
      numbers = rulesOf(given, `${name}: limits${typeof limits === "function" ? "()" : ""}`);
      rules.set(given, numbers);
    }
    return numbers;
  }

  function demandOf(call: Call<Req>, limits: RateRules): Demand {
    const { key, cost } = settings.now;
    const demand = { key: key?.(call.request, call) ?? "", tokens: 0 };
    if (limits.tokens === undefined) return demand;
    const { trip, host, request } = call;
    const given = cost?.(request, call) ?? trip.cost ?? host.traits?.cost?.(request);
    if (given !== undefined) demand.tokens = tokensOf(given, `${name}: the cost of a call`);
    return demand;
  }

  function askOf(call: Call<Req>): RateLimitAsk {
    const limits = rulesFor(call);
    const { key, tokens } = known.get(call) ?? demandOf(call, limits);
    const cost = { requests: 1, tokens };
    const now = call.runtime.now();
    if (store.shared !== true) return { kind: "rate-limit", name, key, limits, cost, now };
    // Written out: a spread of an object that has just been made took longer than the rest of the guard.
    const { outage, limits: given } = settings.now;
    const version = typeof given === "function" ? undefined : settings.version;
    return { kind: "rate-limit", name, key, limits, cost, now, outage, version };
  }

  function remember(call: Call<Req>, { key, cost }: RateLimitAsk): void {
    known.set(call, { key, tokens: cost.tokens });
  }

  function settle(call: Call<Req>, ask: RateLimitAsk, reply: RateLimitReply, ending: Ending): void {
    const adjustment = adjustmentOf(ending, call, ask);
    if (adjustment === undefined) return;
    const settled = store.settle(ask, reply, adjustment);
    const callUp = (): void => {
      if (adjustment.requests < 0 || adjustment.tokens < 0) turns.callUp(ask.key);
    };
    if (isPromise(settled)) {
      settled.then(callUp, (error: unknown) => {
        call.host.events.emit({ type: "store-fail", policy: name, error }, call);
      });
    } else callUp();
  }

  const policy = guard<Req, RateLimitAsk, RateLimitReply>("rate-limit", {
    ...settings.face,
    store,
    outage: () => settings.now.outage,
    check: (host) => void (runtime = host.runtime),
    snapshot: () => ({
      remaining: store.remaining(name, runtime?.now() ?? 0, SHOWN_KEYS),
      queued: turns.lengths(),
    }),
    before(call) {
      if (!turns.any) return undefined;
      const ask = askOf(call);
      if (!turns.waiting(ask.key) || turns.hasTurn(call, ask.key)) return undefined;
      remember(call, ask);
      return turns.queueUp(call, ask);
    },
    ask: askOf,
    judge(reply, call, ask) {
      if (reply.admitted) return undefined;
      const judged = turns.notNow(call, ask, reply);
      if ("wait" in judged) remember(call, ask);
      return judged;
    },
    settle(call, reply, ask) {
      turns.admitted(call, ask, reply);
      call.defer((ending) => settle(call, ask, reply, ending));
    },
    pass: (call, { key }) => turns.pass(call, key),
  });
  return Object.assign(policy, {
    update(changes: Partial<RateLimitOptions<Req>>) {
      if (changes.maxKeys !== undefined)
        throw new ConfigError(`${name}: a policy keeps its store, and so the maxKeys of it.`);
      settings.update(changes);
    },
  });
}

interface Demand {
  readonly key: string;
  tokens: number;
}

/** Keys that a snapshot shows. */
const SHOWN_KEYS = 100;

/** What the call came to beside its reservation; undefined when that was right. */
function adjustmentOf(
  ending: Ending,
  call: Call<Any>,
  { cost, limits }: RateLimitAsk,
): RateAdjustment | undefined {
  const sent = ending.dispatchedAt !== undefined;
  const requests = sent || limits.requests === undefined ? 0 : -cost.requests;
  const tokens = limits.tokens === undefined ? 0 : usedTokens(ending, call, cost.tokens, sent) - cost.tokens;
  return requests === 0 && tokens === 0 ? undefined : { requests, tokens, now: call.runtime.now() };
}

function usedTokens(ending: Ending, call: Call<Any>, reserved: number, sent: boolean): number {
  if (!sent) return 0; // refused further in, cancelled in a queue of ours, or answered from a cache
  const usage = ending.usage ?? (ending.status === "answered" ? call.meta.usage : undefined);
  if (usage !== undefined) return tokensOf(usage, "usage");
  return neverBegan(ending) ? 0 : reserved;
}

/** Whether inference never began: an attempt was refused or turned away, or the upstream knows that nothing was spent. */
function neverBegan({ status, spent, fault }: Ending): boolean {
  if (status === "refused") return true;
  return status === "failed" && (spent === false || (spent === undefined && fault === "overload"));
}

function read<Req>(options: RateLimitOptions<Req>) {
  const reader = readOptions("rateLimit", options);
  const limits = reader.raw<RateLimitOptions<Req>["limits"]>("limits");
  if (limits === undefined) {
    return reader.fail(
      'limits is required, for example { limits: { requests: { limit: 60, per: "1m" } } }, or a function of the call.',
    );
  }
  if (typeof limits !== "function") rulesOf(limits, "rateLimit: limits");
  const { store: given, outage } = readStore<RateLimitStore>(reader, options, "decide");
  if (given !== undefined && options.maxKeys !== undefined)
    reader.fail("maxKeys bounds the memory of this process; say it to the store instead.");
  const store = given ?? createMemoryRateLimitStore({ maxKeys: reader.count("maxKeys", 10_000) });
  return {
    name: reader.text("name", "rate-limit"),
    mode: reader.oneOf<Mode>("mode", ["enforce", "shadow", "off"], "enforce"),
    limits,
    key: reader.callback<NonNullable<RateLimitOptions<Req>["key"]>>("key"),
    cost: reader.callback<NonNullable<RateLimitOptions<Req>["cost"]>>("cost"),
    waitMs: reader.duration("wait", 0),
    queue: reader.count("queue", 1_000, { min: 0 }),
    store,
    outage,
    effective: reader.done(),
  };
}
