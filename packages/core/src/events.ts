import type { Priority } from "./call-options.ts";
import type { PolicyChange } from "./change.ts";
import type { ClockName } from "./errors.ts";
import type { Ending, Meta, Refusal } from "./outcome.ts";
import type { StoreSource } from "./store.ts";

interface At {
  /** Name of the client or pipeline. */
  readonly client: string;
  readonly callId?: string;
  /** Of the call, and of no other in this process: a caller may give several calls of a request one `callId`. */
  readonly serial?: number;
  /** Monotonic milliseconds of the runtime. */
  readonly at: number;
}

/** What happens, as it happens. Noun-verb, one union: subscribe once and see everything. Never a key, a prompt or an answer. */
export type BreakwaterEvent = At &
  /** `parent`: the serial of the call in whose work this one is made. */
  (
    | {
        readonly type: "call-start";
        readonly tenant?: string;
        readonly priority: Priority;
        readonly parent?: number;
      }
    /** The verdict is known: of a stream, it is over. `startedAt` is on the clock of `at`. */
    | {
        readonly type: "call-end";
        readonly ending: Ending;
        readonly attempts: number;
        readonly meta: Meta;
        readonly startedAt: number;
        readonly tenant?: string;
        readonly priority: Priority;
      }
    /**
     * A request leaves for the upstream; what a policy refused before is none. Told by the client that sends it, once,
     * however many policies and clients are around it. `attempt`: how many the call has sent by now. `model`: that is
     * asked for.
     */
    | {
        readonly type: "attempt-start";
        readonly attempt: number;
        readonly target?: string;
        readonly model?: string;
      }
    /** What came of it. `startedAt`: when it left. `model`: that answered, as far as the upstream has said so. */
    | {
        readonly type: "attempt-end";
        readonly attempt: number;
        readonly ending: Ending;
        readonly startedAt: number;
        readonly target?: string;
        readonly model?: string;
      }
    /** What an attempt cost, or what an answer from a cache saved; told when the call is over. `null`: nobody knows. */
    | {
        readonly type: "attempt-cost";
        readonly host: string;
        readonly model: string;
        readonly category: "useful" | "retryWaste" | "hedgeWaste" | "cancelled" | "failed" | "cached";
        readonly usd: number | null;
        readonly savedUsd?: number | null;
        readonly estimated: boolean;
      }
    | { readonly type: "call-refused"; readonly refusal: Refusal }
    /** A policy in shadow would have refused; the call went on. */
    | { readonly type: "would-refuse"; readonly refusal: Refusal }
    | { readonly type: "retry-wait"; readonly policy: string; readonly attempt: number; readonly ms: number }
    /** No further attempt, and why. `not-idempotent`: the caller said that the work may be done once only. */
    | {
        readonly type: "retry-stop";
        readonly policy: string;
        readonly attempt: number;
        readonly because: "attempts" | "budget" | "deadline" | "nested" | "not-idempotent";
      }
    | {
        readonly type: "breaker-open";
        readonly policy: string;
        readonly key: string;
        readonly openForMs: number;
      }
    | { readonly type: "breaker-half-open"; readonly policy: string; readonly key: string }
    | { readonly type: "breaker-close"; readonly policy: string; readonly key: string }
    | {
        readonly type: "clock-ran-out";
        readonly policy: string;
        readonly clock: ClockName;
        readonly ms: number;
      }
    /** A limit follows the upstream: down after a refusal, up again in calm. */
    | {
        readonly type: "limit-change";
        readonly policy: string;
        readonly key: string;
        readonly from: number;
        readonly to: number;
      }
    /** A stream broke off and is continued from where it was; `resume` is 1 for the first time. */
    | { readonly type: "stream-resume"; readonly policy: string; readonly resume: number }
    /** A stream broke off and ends with its error, and why. */
    | {
        readonly type: "resume-stop";
        readonly policy: string;
        readonly because: "resumes" | "budget" | "deadline" | "no-text" | "not-possible" | "failed";
      }
    /** An account of the upstream's has no credit: none of its keys is used until it is known to have some again. */
    | { readonly type: "account-close"; readonly account: string; readonly retryAfterMs: number }
    /** It has some again, or has more of it after it was low. */
    | { readonly type: "account-open"; readonly account: string }
    /** The upstream cuts an account's concurrency because of its balance. Told again, once a minute, while it says so; holds for `forMs`. */
    | { readonly type: "account-low"; readonly account: string; readonly forMs: number }
    /** The upstream does not take a key any more. `key` is what may be shown of it: its last four characters. */
    | {
        readonly type: "key-disable";
        readonly account: string;
        readonly key: string;
        readonly retryAfterMs: number;
      }
    | { readonly type: "key-enable"; readonly account: string; readonly key: string }
    | { readonly type: "fallback-use"; readonly policy: string; readonly to: string }
    | {
        readonly type: "cache-read";
        readonly policy: string;
        readonly result: "hit" | "stale" | "miss" | "join";
      }
    | { readonly type: "cache-refresh"; readonly policy: string; readonly ok: boolean }
    | { readonly type: "queue-wait"; readonly policy: string; readonly ms: number }
    | { readonly type: "store-fail"; readonly policy: string; readonly error: unknown }
    /** A policy over a shared store has decided; where the decision came from. */
    | {
        readonly type: "store-decide";
        readonly policy: string;
        readonly kind: string;
        readonly source: StoreSource;
        /** How long it took; for guards that are decided together, each tells the one round trip. */
        readonly ms: number;
      }
    /** The shared store cannot be asked, and something else stands in for it. */
    | {
        readonly type: "store-degrade";
        readonly policy: string;
        readonly kind: string;
        readonly to: Exclude<StoreSource, "store">;
      }
    /** It decides again. */
    | { readonly type: "store-recover"; readonly policy: string; readonly kind: string }
    /** Processes give this policy different numbers. The lower ones hold, until `update()` says others. */
    | {
        readonly type: "config-mismatch";
        readonly policy: string;
        readonly ours: Readonly<Record<string, unknown>>;
        readonly holds: Readonly<Record<string, unknown>>;
      }
    /** Somebody changed a policy through `change()` of this client. `by`: who, as far as it was said. */
    | {
        readonly type: "policy-change";
        readonly policy: string;
        readonly kind: string;
        readonly change: PolicyChange;
        readonly by?: string;
      }
    /** A callback of the user's threw where its result is not needed; nothing else changed. */
    | { readonly type: "callback-throw"; readonly where: string; readonly error: unknown }
    /** Something that is allowed, and hardly meant. */
    | { readonly type: "hint"; readonly message: string }
  );

export type EventType = BreakwaterEvent["type"];
export type EventOf<T extends EventType> = Extract<BreakwaterEvent, { readonly type: T }>;
export type Listener = (event: BreakwaterEvent) => void;

/** Distributes over the union, which `Omit` alone does not. */
type Unstamped<E> = E extends unknown ? Omit<E, keyof At> & { readonly callId?: string } : never;

/** Of which call an event tells. */
interface Subject {
  readonly id: string;
  readonly serial: number;
}

/** Where events go. Ask `listening` before building one: with nobody there an event costs one comparison. */
export interface EventSink {
  readonly listening: boolean;
  /** @param call that it is about, if it is about one */
  emit(event: Unstamped<BreakwaterEvent>, call?: Subject): void;
}

export interface EventHub extends EventSink {
  /** @returns a function that removes exactly this subscription. */
  subscribe(listener: Listener): () => void;
}

export function createEventHub(client: string, now: () => number): EventHub {
  // Copied on change, so that a listener may come or go while an event is being told.
  let listeners: readonly { readonly tell: Listener }[] = [];

  /** Into the event itself, which was made for this: a copy takes ten times as long as all the rest. */
  function stamp(event: object, call: Subject | undefined): object {
    const own = "at" in event ? fresh(event) : Object.isExtensible(event) ? event : { ...event };
    const stamped = own as { -readonly [K in keyof At]: At[K] };
    stamped.client = client;
    if (call !== undefined) {
      stamped.callId = call.id;
      stamped.serial = call.serial;
    }
    stamped.at = now();
    return stamped;
  }

  return {
    get listening() {
      return listeners.length > 0;
    },
    emit(event, call) {
      if (listeners.length === 0) return;
      const stamped = stamp(event, call) as BreakwaterEvent;
      for (const { tell } of listeners) {
        try {
          tell(stamped);
        } catch (error) {
          // Told to the others, but never for their own failure: that would go on for ever.
          if (event.type !== "callback-throw")
            this.emit({ type: "callback-throw", where: "listener", error });
        }
      }
    },
    subscribe(tell) {
      const entry = { tell };
      listeners = [...listeners, entry];
      return () => {
        listeners = listeners.filter((other) => other !== entry);
      };
    },
  };
}

/** One that was told before, as it was before that. */
function fresh(event: object): object {
  const { at: _, callId: __, serial: ___, ...own } = event as Partial<At>;
  return own;
}
