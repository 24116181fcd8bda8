import type { Any, Updatable } from "../../handler.ts";
import { configure, readOptions } from "../../options.ts";
import { permitGuard, type PermitOptions, readPermitOptions } from "../../permits/guard.ts";

export interface BulkheadOptions<Req = Any> extends PermitOptions<Req> {
  /** Calls in flight at most, streams counted to their last token. Required: only you know what the other side bears. */
  readonly concurrency: number;
}

/**
 * Caps the calls in flight. A permit is held until the work is over: to a stream's last token, and for deaf work that
 * a clock has answered for, until it stops or `grace` is over. Who waits is served in order, interactive calls before
 * batch, and is never overtaken by who comes later.
 *
 * Refuses with `BULKHEAD_FULL`, or with `QUEUE_TIMEOUT` after `maxWait`.
 *
 * @example
 * ```ts
 * import { bulkhead, createPipeline } from "@breakwater/core";
 *
 * const two = createPipeline(bulkhead({ concurrency: 2 }));
 * const outcomes = await Promise.all([1, 2, 3].map((n) => two.outcome(async () => n)));
 * outcomes.map((outcome) => outcome.status); // => ["answered", "answered", "refused"]
 * ```
 */
export function bulkhead<Req = Any>(
  options: BulkheadOptions<Req>,
): Updatable<BulkheadOptions<Req>, Req, Any> {
  const settings = configure(options, read<Req>, () => permits.callUp());
  const permits = permitGuard<Req>("bulkhead", settings, {
    of: () => settings.now.concurrency,
    version: () => settings.version,
    snapshot: () => settings.now.concurrency,
  });
  return Object.assign(permits.policy, { update: settings.update });
}

function read<Req>(options: BulkheadOptions<Req>) {
  const reader = readOptions("bulkhead", options);
  return {
    ...readPermitOptions<Req>(reader, "bulkhead", options),
    concurrency: reader.count("concurrency"),
    effective: reader.done(),
  };
}
