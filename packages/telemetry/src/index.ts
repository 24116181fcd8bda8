export {
  type BucketName,
  BUCKETS,
  type Instrument,
  type InstrumentKey,
  INSTRUMENTS,
  type LabelName,
} from "./instruments.ts";
export { LOG_FIELDS, type LogField } from "./log-fields.ts";
export type { LogLevel, LogLevels } from "./log-levels.ts";
export { type Logger, type LogOptions, logs, type LogShape } from "./logs.ts";
