export { type SpanOptions, spans } from "./spans.ts";
