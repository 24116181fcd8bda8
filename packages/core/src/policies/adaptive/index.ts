import type { Call } from "../../call.ts";
import type { Duration } from "../../duration.ts";
import type { Any, Updatable } from "../../handler.ts";
import { createKeyed } from "../../internal/keyed.ts";
import { configure, readOptions } from "../../options.ts";
import type { Ending } from "../../outcome.ts";
import { permitGuard, type PermitOptions, readPermitOptions } from "../../permits/guard.ts";
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
 * After `calm` it grows again, in steps that grow themselves, for as long as it is used and nothing is refused.
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
    for (const [, limit] of limits.entries()) limit.configure(bounds);
    permits.callUp();
  });
  const { name, maxKeys } = settings.now;
  const limits = createKeyed<Limit>(
    maxKeys,
    () => createLimit(settings.now.bounds),
    (limit) => limit.idle,
  );

  function learn(call: Call<Any>, key: string, limit: Limit, ending: Ending): void {
    const { dispatchedAt, endedAt } = ending;
    const before = limit.value;
    // Never sent: it says nothing of the upstream.
    if (dispatchedAt !== undefined) {
      if (ending.status === "answered") limit.succeed(endedAt);
      else if (ending.status === "failed" && ending.fault === "overload")
        limit.refuse(endedAt, dispatchedAt, ending.limit);
    }
    limit.end(); // after it was looked at: what was too much includes it
    const { value } = limit;
    if (value === before) return;
    const { events } = call.host;
    if (events.listening)
      events.emit({ type: "limit-change", policy: name, key, from: before, to: value, callId: call.id });
    if (value > before) permits.callUp(key);
  }

  const permits = permitGuard<Req>("adaptive", settings, {
    of: (key) => limits.get(key).value,
    snapshot() {
      const known = [...limits.entries()].map(([key, { value }]) => [key, value] as const);
      // One number, where there is one limit.
      const only = known.length === 1 && known[0]?.[0] === "" ? known[0][1] : undefined;
      return only ?? (known.length === 0 ? settings.now.bounds.max : Object.fromEntries(known));
    },
    watch(call, key) {
      const limit = limits.get(key);
      limit.begin();
      call.defer((ending) => learn(call, key, limit, ending));
    },
  });
  return Object.assign(permits.policy, { update: settings.update });
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
    ...readPermitOptions<Req>(reader, "adaptive"),
    bounds,
    maxKeys: reader.count("maxKeys", 10_000),
    effective: reader.done(),
  };
}
