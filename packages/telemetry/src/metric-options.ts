import { type OptionReader, readOptions, type Runtime, systemRuntime } from "@breakwater/core";

import {
  type BucketName,
  BUCKETS,
  type Instrument,
  type LabelName,
  MAX_VALUES,
  OPEN_LABELS,
} from "./instruments.ts";
import { createLabelSet, type LabelSet } from "./label-set.ts";

/** What metrics for Prometheus and for OpenTelemetry have in common. */
export interface MetricOptions {
  /**
   * Whether calls, tokens and costs are told apart by tenant; the first `max` tenants, further ones are `other`. Mind
   * that a tenant of yours may be somebody's name, and that each is a series of its own in whatever keeps the metrics.
   * @default false; with `true`, 50 tenants
   */
  readonly tenants?: boolean | { readonly max: number };
  /**
   * How many values of a label are told apart before further ones are `other`.
   * @default account 50, client 50, code 50, kind 50, model 20, policy 50, status 40, target 20, to 20
   */
  readonly maxValues?: Readonly<Partial<Record<BoundedLabel, number>>>;
  /** Upper bounds of histograms, in seconds, rising. @default see `BUCKETS` */
  readonly buckets?: Readonly<Partial<Record<BucketName, readonly number[]>>>;
  /** Time, for how long an account counts as low. @default the real one */
  readonly runtime?: Runtime;
}

/** Labels whose values somebody else chooses: an upstream, a caller, who named a policy. */
export type BoundedLabel =
  | "account"
  | "client"
  | "code"
  | "kind"
  | "model"
  | "policy"
  | "status"
  | "target"
  | "to";

export interface MetricConfig {
  readonly tenants: boolean;
  readonly sets: Readonly<Record<LabelName, LabelSet>>;
  readonly buckets: Readonly<Record<BucketName, readonly number[]>>;
  readonly runtime: Runtime;
}

/** More values than anybody looks at. */
const MAX_OF_ALL = 1_000;

/** More bounds than a histogram is read with. */
const MAX_BUCKETS = 50;

export function readMetricOptions(reader: OptionReader, where: string): MetricConfig {
  const max = { ...MAX_VALUES };
  const bounds = readOptions(`${where}: maxValues`, reader.raw("maxValues"));
  for (const label of OPEN_LABELS) {
    if (label !== "tenant") max[label] = bounds.count(label, MAX_VALUES[label], { min: 1, max: MAX_OF_ALL });
  }
  bounds.done();

  const given = reader.raw<unknown>("tenants");
  if (typeof given === "object" && given !== null) {
    const tenants = readOptions(`${where}: tenants`, given);
    max.tenant = tenants.count("max", undefined, { min: 1, max: MAX_OF_ALL });
    tenants.done();
  } else if (given !== undefined && typeof given !== "boolean") {
    reader.fail("tenants must be true, false or { max: 50 }.");
  }

  const sets = Object.fromEntries(
    Object.entries(max).map(([label, most]) => [label, createLabelSet(most)]),
  ) as Record<LabelName, LabelSet>;
  return {
    tenants: given !== undefined && given !== false,
    sets,
    runtime: reader.raw<Runtime>("runtime") ?? systemRuntime(),
    buckets: readBuckets(readOptions(`${where}: buckets`, reader.raw("buckets"))),
  };
}

function readBuckets(reader: OptionReader): Record<BucketName, readonly number[]> {
  const read = (name: BucketName): readonly number[] => {
    const given = reader.raw<unknown>(name) ?? BUCKETS[name];
    if (!Array.isArray(given) || given.length === 0 || given.length > MAX_BUCKETS || !rising(given)) {
      return reader.fail(
        `${name} must be a list of 1 to ${MAX_BUCKETS} rising numbers of seconds, for example [0.1, 1, 10].`,
      );
    }
    return [...given];
  };
  const buckets = {
    duration: read("duration"),
    firstToken: read("firstToken"),
    queueWait: read("queueWait"),
    storeDecision: read("storeDecision"),
  };
  reader.done();
  return buckets;
}

function rising(bounds: readonly unknown[]): bounds is readonly number[] {
  return bounds.every((bound, i) => {
    const before = i === 0 ? 0 : bounds[i - 1];
    return typeof bound === "number" && Number.isFinite(bound) && bound > (before as number);
  });
}

/** Whether an instrument is told apart by tenant. */
export function byTenant({ perTenant }: Instrument, { tenants }: MetricConfig): boolean {
  return tenants && perTenant === true;
}
