import type { Call } from "../../call.ts";
import type { Duration } from "../../duration.ts";
import type { Any, Updatable } from "../../handler.ts";
import { createKeyed } from "../../internal/keyed.ts";
import { configure, readOptions } from "../../options.ts";
import type { Ending } from "../../outcome.ts";
import { permitGuard, type PermitOptions, readPermitOptions } from "../../permits/guard.ts";
import type { CancelTimer } from "../../runtime.ts";
import { createLimit, type Limit } from "./limit.ts";

export interface AdaptiveOptions<Req = Any> extends PermitOptions<Req> {
  /** Calls in flight at most, streams counted to their last token; where it starts, and never exceeded. */
  readonly concurrency: number;
  /** Never fewer than these. @default 1 */
  readonly min?: number;
  /** How long the upstream must have refused nothing before the limit grows again. @default "30s" */
  readonly calm?: Duration;
  /** Keys that are remembered at most. @default 10_000 */
  readonly maxKeys?: number;
}

/**
 * A bulkhead whose limit follows the upstream. A 429 that names a limit sets it at once, to nine tenths of the number,
 * since others may use the account; one that names none cuts what is in flight by three tenths, once for each burst.
 * After `calm` it grows again, a step a second, each larger than the last, for as long as all of it is used and nothing
 * is refused.
 *
 * It learns from refusals (`fault: "overload"`, which a plain function reports by an error with `status: 429`), not
 * from latency: the time of an answer follows its length. Who waits is served as in `bulkhead`.
 *
 * Refuses with `BULKHEAD_FULL`, or with `QUEUE_TIMEOUT` after `maxWait`. Each change is an event, `limit-change`.
 *
 * @example
 * ```ts
 * import { adaptive, createPipeline } from "@breakwater/core";
 *
 * const limit = adaptive({ name: "account", concurrency: 500, queue: 2_000 });
 * const guarded = createPipeline(limit);
 * const busy = Object.assign(new Error("too many"), { status: 429 });
 * await guarded.outcome(() => Promise.reject(busy));
 * guarded.snapshot().policies[0]?.state; // => { limit: 1, active: {}, queued: {} }
 * ```
 */
export function adaptive<Req = Any>(
  options: AdaptiveOptions<Req>,
): Updatable<AdaptiveOptions<Req>, Req, Any> {
  const settings = configure(options, read<Req>, ({ bounds }) => {
    for (const [, { limit }] of keys.entries()) limit.configure(bounds);
    permits.callUp();
  });
  const { name, maxKeys } = settings.now;
  const keys = createKeyed<Key>(
    maxKeys,
    () => ({ limit: createLimit(settings.now.bounds), timer: undefined }),
    ({ limit, timer }) => limit.idle && timer === undefined,
  );

  function change(call: Call<Any>, key: string, limit: Limit, how: () => void): void {
    const from = limit.value;
    how();
    const to = limit.value;
    if (to === from) return;
    const { events } = call.host;
    if (events.listening) events.emit({ type: "limit-change", policy: name, key, from, to }, call);
    if (to > from) permits.callUp(key);
  }

  function learn(call: Call<Any>, key: string, { limit }: Key, ending: Ending): void {
    const { dispatchedAt, endedAt, fault, limit: named, status } = ending;
    // What was never sent says nothing of the upstream.
    if (status === "failed" && fault === "overload" && dispatchedAt !== undefined)
      change(call, key, limit, () => limit.refuse(endedAt, dispatchedAt, named));
    limit.end(); // after it was looked at: what was too much includes it
  }

  /** Nothing may end for a long time that would call up who waits. One timer for each key. */
  function stepUp(call: Call<Any>, key: string, state: Key): void {
    const { limit } = state;
    const { runtime } = call;
    const at = limit.nextStepAt();
    if (state.timer !== undefined || at === Infinity) return;
    state.timer = runtime.setTimer(Math.max(0, at - runtime.now()), () => {
      state.timer = undefined;
      if (!permits.waiting(key)) return;
      change(call, key, limit, () => limit.grow(runtime.now(), true));
      stepUp(call, key, state);
    });
  }

  const permits = permitGuard<Req>("adaptive", settings, {
    of(key, call) {
      const { limit } = keys.get(key);
      if (limit.nextStepAt() <= call.runtime.now())
        change(call, key, limit, () => limit.grow(call.runtime.now()));
      return limit.value;
    },
    snapshot() {
      const known = [...keys.entries()].map(([key, { limit }]) => [key, limit.value] as const);
      // One number, where there is one limit.
      const only = known.length === 1 && known[0]?.[0] === "" ? known[0][1] : undefined;
      return only ?? (known.length === 0 ? settings.now.bounds.max : Object.fromEntries(known));
    },
    admitted(call, key) {
      const state = keys.get(key);
      state.limit.begin();
      call.defer((ending) => learn(call, key, state, ending));
    },
    waits: (call, key) => stepUp(call, key, keys.get(key)),
  });
  return Object.assign(permits.policy, { update: settings.update });
}

interface Key {
  readonly limit: Limit;
  /** Armed while somebody waits and a step is to come. */
  timer: CancelTimer | undefined;
}

function read<Req>(options: AdaptiveOptions<Req>) {
  const reader = readOptions("adaptive", options);
  const max = reader.count("concurrency");
  const bounds = {
    max,
    min: reader.count("min", 1),
    calmMs: reader.duration("calm", 30_000),
  };
  if (bounds.min > max) reader.fail(`min must not be above concurrency, which is ${max}; got ${bounds.min}.`);
  return {
    ...readPermitOptions<Req>(reader, "adaptive", options),
    bounds,
    maxKeys: reader.count("maxKeys", 10_000),
    effective: reader.done(),
  };
}
