import { createLinked, type Link } from "../../internal/linked.ts";

/** Calls whose result is not known yet, and for how long they may be hoped for. */
export interface Running {
  /** Call it in the order of time. */
  start(now: number): Link<number>;
  /** It has come to a result, or is of no interest any more. Once, and not after a `clear`. */
  stop(call: Link<number>): void;
  /** A call went well that was started at `startedAt`. */
  good(startedAt: number, now: number): void;
  /** Those that may still go well. */
  hopeful(now: number): number;
  clear(): void;
}

/** As long as nothing has gone well yet, nobody knows how long that takes. */
const PATIENCE_MS = 30_000;
/** For how long a slow success is remembered. */
const MEMORY_MS = 60_000;

/**
 * An overloaded upstream refuses in 200 ms and answers in 3 s or in 30. Who looks only at what has ended sees nothing
 * but failures at the beginning of an outage, be it an outage of every tenth call, and opens a circuit that should
 * have stayed closed. So a call that is running counts as one that has not failed, for as long as calls that went well
 * took lately, and half as long again; unless for twice that time nothing has gone well at all.
 */
export function createRunning(): Running {
  const started = createLinked<number>();
  let slowest = { now: 0, before: 0, since: 0 };
  let lastGoodAt: number | undefined;

  function patience(now: number): number {
    if (now - slowest.since > MEMORY_MS) {
      const before = now - slowest.since > 2 * MEMORY_MS ? 0 : slowest.now;
      slowest = { now: 0, before, since: now };
    }
    const longest = Math.max(slowest.now, slowest.before);
    return longest === 0 ? PATIENCE_MS : longest * 1.5;
  }

  return {
    start(now) {
      lastGoodAt ??= now;
      return started.add(now);
    },
    stop: (call) => started.remove(call),
    good(startedAt, now) {
      patience(now);
      slowest.now = Math.max(slowest.now, now - startedAt);
      lastGoodAt = now;
    },
    hopeful(now) {
      const ms = patience(now);
      if (lastGoodAt === undefined || now - lastGoodAt > 2 * ms) return 0;
      let count = 0;
      for (let call = started.newest; call !== undefined && call.value >= now - ms; call = call.older)
        count++;
      return count;
    },
    clear: () => started.clear(),
  };
}
