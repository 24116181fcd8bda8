import type { Meta, Refusal } from "./outcome.ts";

// Registered symbols, not `instanceof` alone: two copies of this package (ESM and CommonJS, or two versions in
// one tree) must still know each other's errors.
const marker = (name: string): symbol => Symbol.for(`breakwater.error.${name}`);

function has(error: unknown, name: string): boolean {
  return typeof error === "object" && error !== null && marker(name) in error;
}

export interface BreakwaterErrorOptions {
  readonly retryable?: boolean;
  readonly meta?: Meta | undefined;
  readonly cause?: unknown;
}

/**
 * What every error of ours is. `code` is stable and for programs, the message is for people.
 *
 * @example
 * ```ts
 * import { BreakwaterError, ConfigError } from "@breakwater/core";
 *
 * const error: unknown = new ConfigError("retry: attempts must be a whole number of at least 1, got 0.");
 * BreakwaterError.isInstance(error); // => true
 * ```
 */
export class BreakwaterError extends Error {
  override readonly name: string = "BreakwaterError";
  readonly code: string;
  /** Whether the same call may succeed if it is made again. */
  readonly retryable: boolean;
  readonly meta: Meta | undefined;

  constructor(code: string, message: string, options: BreakwaterErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.meta = options.meta;
    tag(this, "BreakwaterError");
  }

  /** True across duplicate installs, where `instanceof` is not. */
  static isInstance(error: unknown): error is BreakwaterError {
    return has(error, "BreakwaterError");
  }
}

function tag(error: Error, name: string): void {
  Object.defineProperty(error, marker(name), { value: true });
}

/** The call was not sent: a limit, a full bulkhead, an open circuit. `code` is the refusal's. */
export class RefusedError extends BreakwaterError {
  override readonly name = "RefusedError";
  readonly refusal: Refusal;
  readonly retryAfterMs: number | undefined;

  constructor(refusal: Refusal, meta?: Meta) {
    const wait =
      refusal.retryAfterMs === undefined ? "" : `; try again in ${Math.ceil(refusal.retryAfterMs)} ms`;
    const share = refusal.source === "local" ? " (this process's share: the store is away)" : "";
    super(refusal.code, `refused by ${refusal.by}: ${refusal.code}${share}${wait}`, {
      retryable: true,
      meta,
    });
    this.refusal = refusal;
    this.retryAfterMs = refusal.retryAfterMs;
    tag(this, "RefusedError");
  }

  static override isInstance(error: unknown): error is RefusedError {
    return has(error, "RefusedError");
  }
}

/** Which clock ran out; `deadline` is the caller's own. */
export type ClockName =
  | "connect"
  | "headers"
  | "liveness"
  | "firstToken"
  | "idle"
  | "throughput"
  | "total"
  | "overall"
  | "deadline";

/** One of our clocks ran out. */
export class TimedOutError extends BreakwaterError {
  override readonly name = "TimedOutError";
  readonly clock: ClockName;
  /** What the clock was set to, in ms. */
  readonly ms: number;

  constructor(clock: ClockName, ms: number, options: BreakwaterErrorOptions = {}) {
    super("TIMED_OUT", `timed out: ${SAYS[clock]} within ${Math.round(ms)} ms`, {
      retryable: true,
      ...options,
    });
    this.clock = clock;
    this.ms = ms;
    tag(this, "TimedOutError");
  }

  static override isInstance(error: unknown): error is TimedOutError {
    return has(error, "TimedOutError");
  }
}

const SAYS: Record<ClockName, string> = {
  throughput: "too few tokens",
  connect: "no connection",
  headers: "no response headers",
  liveness: "not one byte",
  firstToken: "no first token",
  idle: "no further token",
  total: "no answer over all attempts",
  overall: "no end of the answer",
  deadline: "the caller's deadline: no answer",
};

export interface UpstreamErrorOptions extends BreakwaterErrorOptions {
  readonly status?: number | undefined;
  readonly reason?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly traceId?: string | undefined;
  readonly body?: unknown;
}

/** The upstream answered with an error, not at all, or not to the end. `code` says which: `OVERLOADED`, `STREAM_TRUNCATED`. */
export class UpstreamError extends BreakwaterError {
  override readonly name = "UpstreamError";
  /** The HTTP status, where there was one. */
  readonly status: number | undefined;
  /** What the upstream gave as the reason, where one code has several: `balance` or `tpm` of a `RATE_LIMIT`. */
  readonly reason: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly traceId: string | undefined;
  /** What the upstream said, parsed if it was JSON. May hold what the upstream chose to repeat: keep it out of logs. */
  declare readonly body: unknown;

  constructor(code: string, message: string, options: UpstreamErrorOptions = {}) {
    super(code, message, options);
    this.status = options.status;
    this.reason = options.reason;
    this.retryAfterMs = options.retryAfterMs;
    this.traceId = options.traceId;
    // Not enumerable: a logger that serialises errors does not print it.
    Object.defineProperty(this, "body", { value: options.body });
    tag(this, "UpstreamError");
  }

  static override isInstance(error: unknown): error is UpstreamError {
    return has(error, "UpstreamError");
  }
}

/** A store could not decide, and the policy is set to refuse in that case. A store that is down is not a limit that is reached. */
export class StoreError extends BreakwaterError {
  override readonly name = "StoreError";

  constructor(message: string, options: BreakwaterErrorOptions = {}) {
    super("STORE_UNAVAILABLE", message, { retryable: true, ...options });
    tag(this, "StoreError");
  }

  static override isInstance(error: unknown): error is StoreError {
    return has(error, "StoreError");
  }
}

/** Bad configuration: says what was given, what is allowed and what to write instead. Thrown at construction. */
export class ConfigError extends BreakwaterError {
  override readonly name = "ConfigError";

  constructor(message: string) {
    super("CONFIG", message);
    tag(this, "ConfigError");
  }

  static override isInstance(error: unknown): error is ConfigError {
    return has(error, "ConfigError");
  }
}
