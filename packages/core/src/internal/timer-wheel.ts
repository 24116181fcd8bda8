import { createHeap } from "./heap.ts";

/** The host's one real timer, and how to keep the process from ending, or not, because of it. */
export interface TimerHost<H> {
  now(): number;
  arm(ms: number, f: () => void): H;
  disarm(handle: H): void;
  keepAlive(handle: H, alive: boolean): void;
}

export interface TimerWheel {
  /** @param background does not keep the process from ending */
  set(ms: number, f: () => void, background?: boolean): () => void;
}

interface Slot {
  readonly at: number;
  first: Timer | undefined;
}

interface Timer {
  f: (() => void) | undefined;
  readonly background: boolean;
  readonly slot: Slot;
  previous: Timer | undefined;
  next: Timer | undefined;
}

/** Finest grain in ms. Longer timers are rounded up to a grain of at most 1/64 of their length. */
const GRAIN = 8;

/**
 * Many timers over one real one. A call arms clocks of seconds and minutes and nearly always cancels them within a
 * second, so setting and cancelling must cost nothing: timers that end in the same grain share a slot (a linked list),
 * and only slots are sorted. Timers fire never early and at most `max(8 ms, 1/64 of their length)` late, plus the
 * millisecond that the real timer rounds up.
 */
export function createTimerWheel<H>(host: TimerHost<H>): TimerWheel {
  const slots = new Map<number, Slot>();
  const order = createHeap<Slot>((a, b) => a.at < b.at);
  /** Timers for which the process must not end. */
  let live = 0;
  let handle: H | undefined;
  let armedFor = Infinity;

  function rearm(): void {
    // Empty slots stay in the heap until they come up: a cancelled timer costs no search.
    while (order.size > 0 && order.peek()?.first === undefined) slots.delete((order.pop() as Slot).at);
    const next = order.peek();
    if (next === undefined) {
      armedFor = Infinity;
      handle = undefined;
      return;
    }
    arm(next.at);
  }

  function arm(at: number): void {
    armedFor = at;
    handle = host.arm(Math.max(1, Math.ceil(at - host.now())), tick);
    if (live === 0) host.keepAlive(handle, false);
  }

  function tick(): void {
    const now = host.now();
    try {
      for (let slot = order.peek(); slot !== undefined && slot.at <= now; slot = order.peek()) {
        while (slot.first !== undefined) fire(slot.first);
        order.pop();
        slots.delete(slot.at);
      }
    } finally {
      rearm(); // also when a callback throws: one bad timer must not stop all others
    }
  }

  function fire(timer: Timer): void {
    const { f } = timer;
    remove(timer);
    f?.();
  }

  function remove(timer: Timer): void {
    if (timer.f === undefined) return;
    timer.f = undefined;
    if (timer.previous === undefined) timer.slot.first = timer.next;
    else timer.previous.next = timer.next;
    if (timer.next !== undefined) timer.next.previous = timer.previous;
    // The real timer stays armed (calls come in a stream, and arming is the dear part) but lets the process end.
    if (!timer.background && --live === 0 && handle !== undefined) host.keepAlive(handle, false);
  }

  return {
    set(ms, f, background = false) {
      const grain = ms < 64 * GRAIN ? GRAIN : powerOfTwoBelow(ms / 64);
      const at = Math.ceil((host.now() + ms) / grain) * grain;
      let slot = slots.get(at);
      if (slot === undefined) {
        slot = { at, first: undefined };
        slots.set(at, slot);
        order.push(slot);
      }
      const timer: Timer = { f, background, slot, previous: undefined, next: slot.first };
      if (slot.first !== undefined) slot.first.previous = timer;
      slot.first = timer;
      if (!background && live++ === 0 && handle !== undefined) host.keepAlive(handle, true);
      if (at < armedFor) {
        if (handle !== undefined) host.disarm(handle);
        arm(at);
      }
      return () => remove(timer);
    },
  };
}

/** By bits: logarithm and power took a quarter of what setting a timer costs. */
function powerOfTwoBelow(n: number): number {
  return (1 << (31 - Math.clz32(Math.min(n, 0xffff_ffff)))) >>> 0;
}
