import type { Duration } from "./duration.ts";
import type { Any, Host } from "./handler.ts";
import type { Meta, Usage } from "./outcome.ts";
import type { FunctionContext } from "./upstream.ts";

/** Which calls go first where there is a queue. */
export type Priority = "interactive" | "batch";

/** What a caller says of a call, beside the request. What is not said here is taken from the call context, if there is one. */
export interface CallOptions {
  /** Aborting it cancels the call; `signal.reason` comes back unchanged. */
  readonly signal?: AbortSignal | undefined;
  /** Whose call it is. Caches are kept apart by it. */
  readonly tenant?: string | undefined;
  /** @default "interactive" */
  readonly priority?: Priority | undefined;
  /** How long, from now, an answer is of use. No wait of ours exceeds it. The context's own can be shortened, not extended. */
  readonly deadline?: Duration | undefined;
  /** Appears in events, errors and `x-breakwater-*` headers. */
  readonly callId?: string | undefined;
  /** Expected tokens, where the upstream cannot tell. */
  readonly cost?: Usage | undefined;
  /**
   * Whether the work may be done again. If not, `retry` makes no further attempt, and hedging will make none beside it.
   * Said of this call alone: a call that its work makes is idempotent unless it says otherwise, and its own retries act.
   * @default true
   */
  readonly idempotent?: boolean | undefined;
}

export interface ForkOptions<Req> {
  readonly request?: Req;
  /** 1 for the first. */
  readonly attempt?: number;
  /** Targets that a balancer should not pick again. */
  readonly avoid?: readonly string[];
  /** Nothing around it ends it: a single flight outlives its leader. Drained by `close()`. */
  readonly detached?: boolean;
  /** Its stream is read on by a stream of the call around it, so an answer of that one does not end it. */
  readonly carried?: boolean;
}

/** What is to be said of a call when it is made. */
export interface Birth extends ForkOptions<Any> {
  /** It is made by a client in the work of the call around it. */
  readonly guest?: boolean;
}

/** What an attempt has in common with all others of the same call. */
export interface Trip {
  readonly host: Host;
  readonly meta: Meta;
  /** Of the call, and of no other in this process. */
  readonly serial: number;
  readonly tenant: string | undefined;
  readonly priority: Priority;
  readonly cost: Usage | undefined;
  /** Whether the work may be done again. */
  readonly idempotent: boolean;
  /** When the call came in; monotonic ms. */
  readonly startedAt: number;
  /** What a pipeline was asked to execute. */
  readonly task: ((context: FunctionContext) => unknown) | undefined;
}

/** Of a call or a fork about which nothing is to be said: one for all, since an empty object is seven words. */
export const PLAIN: ForkOptions<never> = {};

/** Of a call of a client that is made in the work of another call. */
export const GUEST: Birth = { guest: true };
