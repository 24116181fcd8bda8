import type { BreakwaterEvent, EventType, Outcome } from "@breakwater/core";

/** How loud a line is; `off`: there is none. */
export type LogLevel = "error" | "warn" | "info" | "debug" | "off";

type Status = Outcome<unknown>["status"];

/** Levels that differ from the defaults. The ends of calls and attempts have one for each way to end, or one for all. */
export type LogLevels = {
  readonly [T in EventType]?: T extends "call-end" | "attempt-end"
    ? LogLevel | { readonly [S in Status]?: LogLevel }
    : LogLevel;
};

export const LEVELS: readonly LogLevel[] = ["error", "warn", "info", "debug", "off"];
export const STATUSES: readonly Status[] = ["answered", "failed", "refused", "cancelled"];

/**
 * An error is what somebody should look at: a caller without an answer that is not his own doing, an account or a key
 * that is of no use until a person acts, a bug in a callback. A warning is what Breakwater does about trouble by itself.
 * What happens once per call or more often, and ends well, is for debugging: the call's own line says that it was well.
 */
export const DEFAULT_LEVELS: Readonly<Record<EventType, LogLevel>> = {
  "account-close": "error",
  "key-disable": "error",
  "callback-throw": "error",
  "account-low": "warn",
  "breaker-open": "warn",
  "config-mismatch": "warn",
  hint: "warn",
  "resume-stop": "warn",
  "store-degrade": "warn",
  "store-fail": "warn",
  "account-open": "info",
  "breaker-close": "info",
  "breaker-half-open": "info",
  "call-end": "info",
  "clock-ran-out": "info",
  "fallback-use": "info",
  "key-enable": "info",
  "policy-change": "info",
  "store-recover": "info",
  "stream-resume": "info",
  "would-refuse": "info",
  "attempt-cost": "debug",
  "attempt-end": "debug",
  "attempt-start": "debug",
  "cache-read": "debug",
  "cache-refresh": "debug",
  "call-refused": "debug",
  "call-start": "debug",
  "limit-change": "debug",
  "queue-wait": "debug",
  "retry-stop": "debug",
  "retry-wait": "debug",
  "store-decide": "debug",
};

export function levelOf(event: BreakwaterEvent, given: LogLevels): LogLevel {
  const own = given[event.type];
  if (typeof own === "string") return own;
  if (event.type === "call-end" || event.type === "attempt-end") {
    const { status, fault } = event.ending;
    const said = own?.[status];
    if (said !== undefined) return said;
    if (event.type === "call-end" && status === "failed") return fault === "caller" ? "warn" : "error";
    if (event.type === "call-end" && status === "refused") return "warn";
  }
  // Without a budget nobody is retried any more, which no other line says.
  if (event.type === "retry-stop" && event.because === "budget") return "warn";
  return DEFAULT_LEVELS[event.type];
}
