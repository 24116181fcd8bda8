import type { Call } from "./call.ts";
import type { Any } from "./handler.ts";
import { createLinked } from "./internal/linked.ts";
import type { Runtime } from "./runtime.ts";

export interface DrainOptions {
  /** How long calls in flight may still take before they are aborted, in ms. @default 30_000 */
  readonly withinMs?: number;
}

/** The calls of one client that are in flight, detached ones included. */
export interface Scope {
  readonly size: number;
  readonly draining: boolean;
  add(call: Call<Any>): void;
  /** Admits no more, waits for what runs, and aborts what still runs after `withinMs`. */
  drain(options?: DrainOptions): Promise<void>;
}

export function createScope(runtime: Runtime, closed: () => unknown): Scope {
  const calls = createLinked<Call<Any>>();
  let draining: Promise<void> | undefined;
  let empty: (() => void) | undefined;

  return {
    get size() {
      return calls.size;
    },
    get draining() {
      return draining !== undefined;
    },
    add(call) {
      const link = calls.add(call);
      call.holdBlind(() => {
        calls.remove(link);
        if (calls.size === 0) empty?.();
      }, DEAF_GRACE_MS);
    },
    drain({ withinMs = 30_000 } = {}) {
      return (draining ??= new Promise<void>((resolve) => {
        if (calls.size === 0) {
          resolve();
          return;
        }
        const cancel = runtime.setTimer(withinMs, () => {
          // What has no work left leaves at once, and its link still says who is next.
          for (let link = calls.newest; link !== undefined; link = link.older) link.value.abort(closed());
        });
        empty = () => {
          cancel();
          resolve();
        };
      }));
    },
  };
}

/** How long a drain waits for work that ignores its abort. */
const DEAF_GRACE_MS = 5_000;
