import type { Call } from "./call.ts";
import type { Any } from "./handler.ts";
import type { StoreReply, StoreSource } from "./store.ts";

/** @internal Follows where the decisions of one policy come from. */
export interface SourceWatch {
  /** Of the last decision. */
  readonly last: StoreSource | undefined;
  /** The store, or what stands in for it, has replied. */
  replied(reply: StoreReply, call: Call<Any>, askedAt: number): void;
  /** It has not, and nothing stands in for it. */
  failed(to: "open" | "closed", call: Call<Any>, askedAt: number): void;
}

/** @internal */
export function watchSource(kind: string, policy: string): SourceWatch {
  let last: StoreSource | undefined;
  function note(source: StoreSource, call: Call<Any>, askedAt: number): void {
    const { events } = call.host;
    const before = last;
    last = source;
    if (!events.listening) return;
    const ms = call.runtime.now() - askedAt;
    events.emit({ type: "store-decide", policy, kind, source, ms }, call);
    if (before === source) return;
    if (source !== "store") events.emit({ type: "store-degrade", policy, kind, to: source }, call);
    else if (before !== undefined) events.emit({ type: "store-recover", policy, kind }, call);
  }
  return {
    get last() {
      return last;
    },
    replied({ source, mismatch }, call, askedAt) {
      if (source !== undefined) note(source, call, askedAt);
      if (mismatch !== undefined)
        call.host.events.emit({ type: "config-mismatch", policy, ...mismatch }, call);
    },
    failed: note,
  };
}
