import type { Call } from "./call.ts";
import type { Any } from "./handler.ts";

// A property of the signal rather than a WeakMap: it costs nothing to keep and dies with the signal.
const OWNER = Symbol.for("breakwater.call");
type Linked = AbortSignal & { [OWNER]?: Call<Any> | undefined };

/** Remembers whose signal this is, so that a client that is handed it knows that it runs inside that call. */
export function linkSignal(signal: AbortSignal, call: Call<Any>): void {
  // Assigned, though a defined one would not be enumerable: defining costs a microsecond on Node 20.
  (signal as Linked)[OWNER] = call;
}

/**
 * Forgets it, once the call is over. A signal may live on, and must not keep the call and its result: undici holds the
 * signal of a request until its own controller is collected, which a failed result reaches through the stack of its
 * error, so that neither would ever go.
 */
export function unlinkSignal(signal: AbortSignal): void {
  (signal as Linked)[OWNER] = undefined; // deleting a property makes an object slow
}

/** The call whose signal this is, if it is one of ours. */
export function callOfSignal(signal: AbortSignal | undefined): Call<Any> | undefined {
  const linked: Linked | undefined = signal;
  return linked?.[OWNER];
}

const followers = new WeakMap<AbortSignal, Set<Call<Any>>>();

/**
 * Aborts `call` when `signal` fires. A server's shutdown signal is shared by a hundred thousand calls: it gets one
 * listener while there is a call, and none after. @returns a function that ends it.
 */
export function followSignal(signal: AbortSignal, call: Call<Any>): () => void {
  let calls = followers.get(signal);
  if (calls === undefined) {
    const group = new Set<Call<Any>>();
    const fire = (): void => {
      followers.delete(signal);
      for (const each of group) each.abort(signal.reason);
    };
    signal.addEventListener("abort", fire, { once: true });
    stops.set(group, () => signal.removeEventListener("abort", fire));
    followers.set(signal, (calls = group));
  }
  const group = calls;
  group.add(call);
  return () => {
    if (!group.delete(call) || group.size > 0) return;
    if (followers.get(signal) === group) followers.delete(signal);
    stops.get(group)?.();
  };
}

const stops = new WeakMap<Set<Call<Any>>, () => void>();
