import { type Watched, watchables } from "@breakwater/core";

import { createGauges, type Reading } from "./gauges.ts";
import type { InstrumentKey } from "./instruments.ts";
import { type MakeInstrument, measure } from "./measure.ts";
import type { MetricConfig } from "./metric-options.ts";
import { watch } from "./watch.ts";

/** Clients that are measured. */
export interface WatchedMetrics {
  readGauges(): ReadonlyMap<InstrumentKey, readonly Reading[]>;
  /** Listens no more. */
  close(): void;
}

/** Counts and measures all that these clients do, from now on. */
export function watchMetrics(
  given: Watched,
  where: string,
  make: MakeInstrument,
  config: MetricConfig,
): WatchedMetrics {
  const watched = watchables(given, where);
  const { begin, listen } = measure(make, config);
  const gauges = createGauges(watched, config, (client) =>
    listen({ type: "callback-throw", where: "snapshot", error: undefined, client, at: 0 }),
  );
  const close = watch(watched, where, (event) => {
    listen(event);
    gauges.listen(event);
  });
  for (const { labels } of gauges.read().get("callsInFlight") ?? []) begin(labels["client"] as string);
  return { readGauges: gauges.read, close };
}
