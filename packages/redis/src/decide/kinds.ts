import type {
  Admission,
  BreakerAsk,
  PermitAsk,
  PermitReply,
  RateLimitAsk,
  RateLimitReply,
} from "@breakwater/core";

import { untold } from "../breaker/circuit.ts";

/** What a Redis store can be asked to decide. */
export type StoreAskOfAKind = RateLimitAsk | PermitAsk | BreakerAsk;

/** Whether a reply lets the call pass. */
export function admits({ kind }: StoreAskOfAKind, reply: unknown): boolean {
  switch (kind) {
    case "rate-limit":
      return (reply as RateLimitReply).admitted;
    case "permit":
      return (reply as PermitReply).granted;
    case "breaker":
      return "ticket" in (reply as Admission);
  }
}

/** A reply that lets it pass and stands for nothing: nothing was taken, and nothing is given back or counted. */
export function admitted(ask: StoreAskOfAKind): RateLimitReply | PermitReply | Admission {
  switch (ask.kind) {
    case "rate-limit":
      return { admitted: true, retryAfterMs: 0, at: 0, source: "open" };
    case "permit":
      return { granted: true, active: 0, source: "open" };
    case "breaker":
      return { ticket: untold(ask.now), source: "open" };
  }
}
