export { type MeterOptions, meters } from "./meters.ts";
export { type SpanOptions, spans } from "./spans.ts";
