export type { Alert, Sample } from "./ask.ts";
export type { Prometheus, PrometheusOptions, Yaml } from "./prometheus.ts";
export { startPrometheus } from "./prometheus.ts";
export type { PromtoolOptions, Said } from "./promtool.ts";
export { promtool } from "./promtool.ts";
