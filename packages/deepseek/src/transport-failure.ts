import { BreakwaterError } from "@breakwater/core";

import { brokenFailure, type Failure, type FailureContext } from "./classify.ts";

/** What a `fetch` throws when the network, not its caller, is at fault. */
const NETWORK =
  /^(fetch failed|failed to fetch|load failed|network ?error|network connection|terminated|error sending request|connection|socket|other side closed|unable to connect)/i;

/** A throw of `fetch`, or of reading its body. What is a mistake of the caller's is thrown on as it is. */
export function transportFailure(error: unknown, context: FailureContext): Failure {
  if (BreakwaterError.isInstance(error)) throw error;
  const { message, cause } = (error ?? {}) as { readonly message?: unknown; readonly cause?: unknown };
  const mistake = error instanceof TypeError && cause === undefined && !NETWORK.test(String(message));
  if (mistake || error instanceof ReferenceError) throw error;
  const code = codeOf(cause) ?? codeOf(error);
  const unsent = code !== undefined && UNSENT.test(code) ? { ...context, spent: false } : context;
  return brokenFailure("TRANSPORT", unsent, { cause: error, ...(code !== undefined && { detail: code }) });
}

/** What goes wrong before there is a connection. */
const UNSENT = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;

/** `ECONNREFUSED`, `UND_ERR_SOCKET`: what happened, without addresses. */
function codeOf(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === "string" && /^[A-Z][A-Z0-9_]{2,60}$/.test(code) ? code : undefined;
}
