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
  // Linked rather than in a Set: one that is filled and emptied by each call is copied again and again.
  let first: Member | undefined;
  let size = 0;
  let draining: Promise<void> | undefined;
  let empty: (() => void) | undefined;

  return {
    get size() {
      return size;
    },
    get draining() {
      return draining !== undefined;
    },
    add(call) {
      const member: Member = { call, previous: undefined, next: first };
      if (first !== undefined) first.previous = member;
      first = member;
      size++;
      call.holdBlind(() => {
        if (member.previous === undefined) first = member.next;
        else member.previous.next = member.next;
        if (member.next !== undefined) member.next.previous = member.previous;
        if (--size === 0) empty?.();
      }, DEAF_GRACE_MS);
    },
    drain({ withinMs = 30_000 } = {}) {
      return (draining ??= new Promise<void>((resolve) => {
        if (size === 0) {
          resolve();
          return;
        }
        const cancel = runtime.setTimer(withinMs, () => {
          // Those that the abort ends leave at once: each is asked for the next one before.
          for (let member = first, next; member !== undefined; member = next) {
            next = member.next;
            member.call.abort(closed());
          }
        });
        empty = () => {
          cancel();
          resolve();
        };
      }));
    },
  };
}

interface Member {
  readonly call: Call<Any>;
  previous: Member | undefined;
  next: Member | undefined;
}

/** How long a drain waits for work that ignores its abort. */
const DEAF_GRACE_MS = 5_000;
