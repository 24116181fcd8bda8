import type { CancelTimer, Runtime } from "@breakwater/core";

/** Ends of waits. They fire after whatever has arrived by then has been read. */
export interface Deadlines {
  /** @returns what cancels it */
  set(ms: number, expire: () => void): CancelTimer;
}

/**
 * A process whose event loop was blocked finds its timers due and its replies unread, in this order: Node runs timers
 * first. Without a look at the sockets in between, every block of 50 ms would count as a slow Redis.
 */
export function createDeadlines(runtime: Runtime): Deadlines {
  let due: (() => void)[] = [];

  function late(ended: () => void): void {
    due.push(ended);
    if (due.length > 1) return;
    // Runs right after sockets were read. No timer: it is about the order within one turn of the loop, not about time.
    setImmediate(() => {
      const expired = due;
      due = [];
      for (const end of expired) end();
    });
  }

  return {
    set(ms, expire) {
      let open = true;
      const cancel = runtime.setTimer(ms, () => late(() => open && expire()));
      return () => {
        open = false;
        cancel();
      };
    },
  };
}
