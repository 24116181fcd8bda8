export type { BoundedLabel, MetricOptions } from "../metric-options.ts";
export { type AnyRegistry, metrics, type PrometheusMetrics, type PrometheusOptions } from "./metrics.ts";
