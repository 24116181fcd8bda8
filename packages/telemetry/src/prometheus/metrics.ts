import { ConfigError, type OptionReader, readOptions, type Watched } from "@breakwater/core";
import {
  Counter,
  Gauge,
  type OpenMetricsContentType,
  type PrometheusContentType,
  register as globalRegister,
  type Registry,
} from "prom-client";

import type { Reading } from "../gauges.ts";
import { type Instrument, type InstrumentKey, INSTRUMENTS, type LabelName } from "../instruments.ts";
import { byTenant, type MetricConfig, type MetricOptions, readMetricOptions } from "../metric-options.ts";
import type { Add } from "../series.ts";
import { watchMetrics } from "../watched-metrics.ts";
import { FastHistogram } from "./histogram.ts";

/** A registry of prom-client's, of either format. */
export type AnyRegistry = Registry<PrometheusContentType> | Registry<OpenMetricsContentType>;

export interface PrometheusOptions extends MetricOptions {
  /** Where the metrics are registered. @default prom-client's own `register` */
  readonly register?: AnyRegistry;
  /** What all names begin with. @default "breakwater_" */
  readonly prefix?: string;
}

export interface PrometheusMetrics {
  /** What `register.metrics()` is asked of. */
  readonly register: AnyRegistry;
  /** Listens no more, and takes the metrics out of the registry. */
  close(): void;
}

/**
 * Metrics of clients for Prometheus, registered with prom-client: serve `await register.metrics()` and have it scraped.
 * What happens is counted as it happens; permits, queues, circuits and the like are looked at when they are scraped.
 * `INSTRUMENTS` says which metrics there are.
 *
 * Each label has a bound for its values, and what comes later is `other`: not even a caller who sends a new model with
 * each request makes more series. Tenants are told apart only where `tenants` says so.
 *
 * @throws ConfigError for what cannot be watched, for options that make no sense, and where the registry has metrics of
 * these names already: give all clients to one `metrics()`, or the second one a `prefix` or `register` of its own.
 *
 * @example
 * ```ts
 * import { createPipeline } from "@breakwater/core";
 * import { metrics } from "@breakwater/telemetry/prometheus";
 * import { Registry } from "prom-client";
 *
 * const search = createPipeline({ name: "search" });
 * const { register, close } = metrics(search, { register: new Registry() });
 * await search.execute(() => "found");
 * const text = await register.metrics();
 * text.includes('breakwater_calls_total{client="search",outcome="answered",kind="fresh"} 1'); // => true
 * close();
 * ```
 */
export function metrics(clients: Watched, options: PrometheusOptions = {}): PrometheusMetrics {
  const { config, prefix, register } = read(options);
  const registered: string[] = [];
  const names = INSTRUMENTS.map(({ prometheus }) => `${prefix}${prometheus}`);
  const taken = names.find((name) => register.getSingleMetric(name) !== undefined);
  if (taken !== undefined) {
    throw new ConfigError(
      `metrics: the registry has ${taken} already. Give all clients to one metrics([one, other]), close() the former one, or say another prefix or register.`,
    );
  }

  const baseOf = (instrument: Instrument): Base => {
    const labelNames: LabelName[] = [...instrument.labels];
    if (byTenant(instrument, config)) labelNames.push("tenant");
    const { help, prometheus } = instrument;
    // Registered below: prom-client's constructors would do it, where nobody sees it.
    return { name: `${prefix}${prometheus}`, help, labelNames, registers: [] };
  };
  const add = <M extends Counter | FastHistogram | Gauge>(name: string, metric: M): M => {
    register.registerMetric(metric);
    registered.push(name);
    return metric;
  };
  const { close, readGauges } = watchMetrics(
    clients,
    "metrics",
    (instrument) => {
      const base = baseOf(instrument);
      if (instrument.type === "counter") {
        const pending = new Set<Pending>();
        add(base.name, counter(base, pending));
        return (labels) => pendingOf(labels, pending);
      }
      const buckets = config.buckets[instrument.buckets ?? "duration"];
      const histogram = add(base.name, new FastHistogram({ ...base, buckets }));
      return (labels) => histogram.series(labels);
    },
    config,
  );
  const gauges = oncePerScrape(readGauges);
  for (const instrument of INSTRUMENTS) {
    if (instrument.type !== "gauge") continue;
    const base = baseOf(instrument);
    add(
      base.name,
      gauge(base, () => gauges().get(instrument.key) ?? []),
    );
  }

  return {
    register,
    close() {
      close();
      for (const name of registered.splice(0)) register.removeSingleMetric(name);
    },
  };
}

/** What all metrics are made with. */
interface Base {
  readonly name: string;
  readonly help: string;
  readonly labelNames: LabelName[];
  readonly registers: [];
}

/** What was counted since it was last scraped. */
interface Pending {
  readonly labels: Readonly<Record<string, string>>;
  amount: number;
}

/**
 * A counter that is added up here and handed over when it is scraped: prom-client's `inc` puts a text of all labels
 * together each time.
 */
function counter(base: Base, pending: ReadonlySet<Pending>): Counter {
  return new Counter({
    ...base,
    collect() {
      for (const each of pending) {
        this.inc(each.labels, each.amount);
        each.amount = 0;
      }
    },
  });
}

function pendingOf(labels: Pending["labels"], all: Set<Pending>): Add {
  const pending = { labels, amount: 0 };
  all.add(pending);
  return (amount) => {
    pending.amount += amount;
  };
}

function gauge(base: Base, readings: () => readonly Reading[]): Gauge {
  return new Gauge({
    ...base,
    collect() {
      this.reset();
      for (const { labels, value } of readings()) this.set(labels, value);
    },
  });
}

/** A registry asks all metrics in one go: the clients are looked at once for all of them. */
function oncePerScrape(
  readGauges: () => ReadonlyMap<InstrumentKey, readonly Reading[]>,
): () => ReadonlyMap<InstrumentKey, readonly Reading[]> {
  let known: ReadonlyMap<InstrumentKey, readonly Reading[]> | undefined;
  return () => {
    if (known === undefined) {
      known = readGauges();
      queueMicrotask(() => (known = undefined));
    }
    return known;
  };
}

function read(options: PrometheusOptions): {
  readonly config: MetricConfig;
  readonly prefix: string;
  readonly register: AnyRegistry;
} {
  const reader = readOptions("metrics", options);
  const config = readMetricOptions(reader, "metrics");
  const register = reader.raw<AnyRegistry>("register") ?? globalRegister;
  if (typeof (register as Partial<Registry>).registerMetric !== "function")
    reader.fail("register must be a Registry of prom-client's.");
  const prefix = prefixOf(reader);
  reader.done();
  return { config, prefix, register };
}

function prefixOf(reader: OptionReader): string {
  const prefix = reader.raw<unknown>("prefix") ?? "breakwater_";
  if (typeof prefix === "string" && /^([a-zA-Z_:][\w:]*)?$/.test(prefix)) return prefix;
  return reader.fail('prefix must be letters, digits and "_", such as "breakwater_", or "" for none.');
}
