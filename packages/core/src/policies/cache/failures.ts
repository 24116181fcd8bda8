import type { Call } from "../../call.ts";
import { TimedOutError, UpstreamError } from "../../errors.ts";
import type { Any } from "../../handler.ts";
import { type Ending, type Failed, failed } from "../../outcome.ts";
import type { CacheError, CacheFailure } from "./store.ts";

/** Longer messages are cut: a failure is news, not an archive. */
const MESSAGE = 1_000;

/** What other processes are told of a failure; `undefined` for one that says nothing about the next attempt. */
export function noteOf(what: Failed | Ending): CacheFailure | undefined {
  const { error, fault = "upstream", retryable = false, scope, retryAfterMs, limit, spent } = what;
  // A caller's own deadline is his alone.
  if (TimedOutError.isInstance(error) && error.clock === "deadline") return undefined;
  return {
    fault,
    retryable,
    ...(scope !== undefined && { scope }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(limit !== undefined && { limit }),
    ...(spent !== undefined && { spent }),
    error: write(error),
  };
}

/** The failure of another process, as a failure of this call: of the same class, where it is one of ours. */
export function failureOf({ error, ...verdict }: CacheFailure, { meta }: Call<Any>): Failed {
  return failed(read(error, verdict), verdict, meta);
}

function write(error: unknown): CacheError {
  if (typeof error !== "object" || error === null)
    return { kind: "other", name: "Error", message: cut(error) };
  const { name, message, code, status } = error as Partial<Record<keyof CacheError, unknown>>;
  const said = {
    name: typeof name === "string" ? name : "Error",
    message: cut(message ?? ""),
    ...(typeof code === "string" && { code }),
    ...(typeof status === "number" && { status }),
  };
  if (TimedOutError.isInstance(error))
    return { kind: "timed-out", ...said, clock: error.clock, ms: error.ms };
  if (!UpstreamError.isInstance(error)) return { kind: "other", ...said };
  const { reason, traceId } = error;
  return {
    kind: "upstream",
    ...said,
    ...(reason !== undefined && { reason }),
    ...(traceId !== undefined && { traceId }),
  };
}

function read(error: CacheError, { retryable, retryAfterMs }: Omit<CacheFailure, "error">): Error {
  const { kind, name, message, code, status, reason, traceId, clock, ms } = error;
  if (kind === "upstream")
    return new UpstreamError(code ?? "UPSTREAM", message, {
      retryable,
      retryAfterMs,
      status,
      reason,
      traceId,
    });
  if (kind === "timed-out" && clock !== undefined) return new TimedOutError(clock, ms ?? 0, { retryable });
  const made = new Error(message);
  made.name = name;
  return Object.assign(made, code !== undefined && { code }, status !== undefined && { status });
}

function cut(message: unknown): string {
  return String(message).slice(0, MESSAGE);
}
