import type { Call } from "./call.ts";
import type { Any } from "./handler.ts";
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
  const calls = new Set<Call<Any>>();
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
      calls.add(call);
      call.hold(() => {
        calls.delete(call);
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
          for (const call of calls) call.abort(closed());
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
