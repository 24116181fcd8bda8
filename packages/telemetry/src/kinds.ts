import {
  DISCARDED,
  type Ending,
  type Meta,
  RefusedError,
  type Refusal,
  StoreError,
  TimedOutError,
} from "@breakwater/core";

/** What kind of an outcome it was; `meta` for calls, since an attempt is asked for and so fresh. */
export function kindOf({ error, fault, status }: Ending, meta?: Meta): string {
  switch (status) {
    case "answered":
      return meta === undefined ? "fresh" : kindOfAnswer(meta);
    case "failed":
      if (TimedOutError.isInstance(error)) return "timeout";
      return StoreError.isInstance(error) ? "store" : (fault ?? "upstream");
    case "refused":
      return (error as Partial<Refusal> | undefined)?.code ?? "unknown";
    case "cancelled":
      if (error === DISCARDED) return "discarded";
      // Nobody left: a drain ended it.
      return RefusedError.isInstance(error) ? "draining" : "caller";
  }
}

function kindOfAnswer({ cache, degraded }: Meta): string {
  if (cache === "stale") return cache;
  if (degraded === true) return "fallback";
  return cache === "hit" || cache === "join" ? cache : "fresh";
}

/** The HTTP status of a failure: that of our own errors, and the one by which others are judged. */
export function httpStatusOf({ error }: Ending): string {
  if (typeof error !== "object" || error === null) return "";
  const { status } = error as { readonly status?: unknown };
  const known = typeof status === "number" && Number.isInteger(status) && status >= 100 && status <= 599;
  return known ? String(status) : "";
}
