import { UpstreamError } from "@breakwater/core";

/**
 * How a failure reaches the caller of a `fetch`:
 *
 * - `response`: as a `Response` in OpenAI's shape that says `x-should-retry: false`. The official SDKs obey that, and
 *   take whatever is thrown for a broken connection and ask again.
 * - `throw`: thrown. The AI SDK passes on what is thrown, and asks again after any response of 500 or more.
 * - `auto`: `throw` for requests that say in their user agent that they are the AI SDK's, else `response`.
 */
export type ErrorMode = "auto" | "response" | "throw";

export const ERROR_MODES: readonly ErrorMode[] = ["auto", "response", "throw"];

/** Whether a failure of this request is thrown. */
export function isThrown(mode: ErrorMode, headers: Headers): boolean {
  if (mode !== "auto") return mode === "throw";
  return /\bai-sdk[-/]/.test(headers.get("user-agent") ?? "");
}

/**
 * The error as it is thrown out of a fetch. The AI SDK 7 looks for codes such as ECONNRESET among the errors of the
 * `cause` chain and asks again by itself; what is not an `Error` it does not look into. The facts stay readable.
 */
export function thrownBySelf(error: unknown): unknown {
  if (UpstreamError.isInstance(error) && error.cause instanceof Error) {
    Object.defineProperty(error, "cause", { value: factsOf(error.cause) });
  }
  return error;
}

function factsOf(error: Error): Readonly<Record<string, unknown>> {
  const { code, message, name } = error as Error & { readonly code?: unknown };
  const cause = error.cause instanceof Error ? { cause: factsOf(error.cause) } : {};
  return { name, message, ...(code !== undefined && { code }), ...cause };
}
