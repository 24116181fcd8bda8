import type { Call } from "./call.ts";
import type { Any } from "./handler.ts";
import type { StoreReply, StoreSource } from "./store.ts";

/** @internal Follows where the decisions of one policy come from. */
export interface SourceWatch {
  /** Of the last decision. */
  readonly last: StoreSource | undefined;
  /** The store, or what stands in for it, has replied. */
  replied(reply: StoreReply, call: Call<Any>): void;
  /** It has not, and nothing stands in for it. */
  failed(to: "open" | "closed", call: Call<Any>): void;
}

/** @internal */
export function watchSource(policy: string): SourceWatch {
  let last: StoreSource | undefined;
  function note(source: StoreSource, { host: { events }, id: callId }: Call<Any>): void {
    const before = last;
    last = source;
    if (!events.listening) return;
    events.emit({ type: "store-decide", policy, source, callId });
    if (before === source) return;
    if (source !== "store") events.emit({ type: "store-degrade", policy, to: source, callId });
    else if (before !== undefined) events.emit({ type: "store-recover", policy, callId });
  }
  return {
    get last() {
      return last;
    },
    replied({ source, mismatch }, call) {
      if (source !== undefined) note(source, call);
      if (mismatch !== undefined)
        call.host.events.emit({ type: "config-mismatch", policy, ...mismatch, callId: call.id });
    },
    failed: note,
  };
}
