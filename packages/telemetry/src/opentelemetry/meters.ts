import { type OptionReader, readOptions, type Watched } from "@breakwater/core";
import {
  type Attributes,
  type BatchObservableCallback,
  type Meter,
  type Observable,
  metrics,
} from "@opentelemetry/api";

import { type Instrument, type InstrumentKey, INSTRUMENTS } from "../instruments.ts";
import { type MetricOptions, readMetricOptions } from "../metric-options.ts";
import type { Add, MakeSeries } from "../series.ts";
import { watch } from "../watch.ts";
import { watchMetrics } from "../watched-metrics.ts";
import { measureGenAi } from "./gen-ai.ts";

export interface MeterOptions extends MetricOptions {
  /** What makes the instruments. @default that of the global provider, for "@breakwater/telemetry" */
  readonly meter?: Meter;
  /** What the GenAI conventions call the work: `gen_ai.operation.name`. @default "chat" */
  readonly operation?: string;
  /** Who does it, as those conventions know it: `gen_ai.provider.name`. @default the name of the host that was asked */
  readonly provider?: string;
}

/**
 * Metrics of clients for OpenTelemetry: those of `INSTRUMENTS`, named `breakwater.*` with attributes named alike, and
 * those of the GenAI conventions for what is sent to models: `gen_ai.client.operation.duration`,
 * `gen_ai.client.operation.time_to_first_chunk` and `gen_ai.client.token.usage`. Set the global provider up before, or
 * give a `meter`: the API forgets what was asked of it earlier. Call it once for a meter, with all clients.
 *
 * @returns a function that ends it; what was counted since the last collection is told no more.
 * @throws ConfigError for what cannot be watched, and options that make no sense.
 *
 * @example
 * ```ts
 * import { createPipeline } from "@breakwater/core";
 * import { meters } from "@breakwater/telemetry/opentelemetry";
 * import {
 *   AggregationTemporality,
 *   InMemoryMetricExporter,
 *   MeterProvider,
 *   PeriodicExportingMetricReader,
 * } from "@opentelemetry/sdk-metrics";
 *
 * const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
 * const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] });
 * const search = createPipeline({ name: "search" });
 * const stop = meters(search, { meter: provider.getMeter("mine") });
 * await search.execute(() => "found");
 * await provider.forceFlush();
 * const told = exporter.getMetrics().flatMap((each) => each.scopeMetrics).flatMap((each) => each.metrics);
 * told.find(({ descriptor }) => descriptor.name === "breakwater.calls")?.dataPoints[0]?.value; // => 1
 * stop();
 * await provider.shutdown();
 * ```
 */
export function meters(clients: Watched, options: MeterOptions = {}): () => void {
  const { config, genAi, meter } = read(options);
  const observed = new Map<InstrumentKey, Observable>();
  const counters: { readonly observable: Observable; readonly totals: readonly Total[] }[] = [];

  const { close, readGauges } = watchMetrics(
    clients,
    "meters",
    (instrument) => {
      if (instrument.type === "histogram") return histogram(meter, instrument, config.buckets);
      // Added up here and handed over when it is collected: an SDK looks its attributes up for each addition.
      const totals: Total[] = [];
      counters.push({
        observable: meter.createObservableCounter(instrument.otel, about(instrument)),
        totals,
      });
      return (labels) => addTo(totals, labels);
    },
    config,
  );
  for (const instrument of INSTRUMENTS) {
    if (instrument.type === "gauge")
      observed.set(instrument.key, meter.createObservableGauge(instrument.otel, about(instrument)));
  }

  const observe: BatchObservableCallback = (result) => {
    const gauges = readGauges();
    for (const [key, observable] of observed)
      for (const { labels, value } of gauges.get(key) ?? [])
        result.observe(observable, value, attributesOf(labels));
    for (const { observable, totals } of counters)
      for (const { amount, attributes } of totals) result.observe(observable, amount, attributes);
  };
  const all = [...observed.values(), ...counters.map(({ observable }) => observable)];
  meter.addBatchObservableCallback(observe, all);
  const forget = watch(clients, "meters", measureGenAi(meter, genAi, config.sets));
  return () => {
    meter.removeBatchObservableCallback(observe, all);
    close();
    forget();
  };
}

interface Total {
  readonly attributes: Attributes;
  amount: number;
}

function addTo(totals: Total[], labels: Readonly<Record<string, string>>): Add {
  const total = { attributes: attributesOf(labels), amount: 0 };
  totals.push(total);
  return (amount) => {
    total.amount += amount;
  };
}

function histogram(
  meter: Meter,
  instrument: Instrument,
  buckets: ReturnType<typeof read>["config"]["buckets"],
): MakeSeries {
  const bounds = [...buckets[instrument.buckets ?? "duration"]];
  const made = meter.createHistogram(instrument.otel, {
    ...about(instrument),
    advice: { explicitBucketBoundaries: bounds },
  });
  return (labels) => {
    const attributes = attributesOf(labels);
    return (amount) => made.record(amount, attributes);
  };
}

function about({ help, unit }: Instrument): { readonly description: string; readonly unit: string } {
  return { description: help, unit };
}

/** What is not said is no attribute. */
function attributesOf(labels: Readonly<Record<string, string>>): Attributes {
  const said = Object.entries(labels).filter(([, value]) => value !== "");
  return Object.fromEntries(said.map(([label, value]) => [`breakwater.${label}`, value]));
}

function read(options: MeterOptions) {
  const reader = readOptions("meters", options);
  const config = readMetricOptions(reader, "meters");
  const meter = reader.raw<Meter>("meter") ?? metrics.getMeter("@breakwater/telemetry");
  if (typeof (meter as Partial<Meter>).addBatchObservableCallback !== "function")
    reader.fail("meter must be a Meter of OpenTelemetry's.");
  const genAi = { operation: reader.text("operation", "chat"), provider: textIfAny(reader, "provider") };
  reader.done();
  return { config, genAi, meter };
}

function textIfAny(reader: OptionReader, name: string): string | undefined {
  const given = reader.raw<unknown>(name);
  if (given === undefined || (typeof given === "string" && given !== "")) return given;
  return reader.fail(`${name} must be a string that is not empty.`);
}
