import type { CancelTimer, Runtime } from "@breakwater/core";

/** Whether Redis is asked at all: the store's own breaker. */
export interface Health {
  readonly up: boolean;
  /** Why it is not up. */
  readonly reason: unknown;
  succeeded(): void;
  failed(reason: unknown): void;
  /** There is a connection: up after a probe. */
  connected(): void;
  /** There is none any more. */
  disconnected(reason?: unknown): void;
  close(): void;
}

export interface HealthOptions {
  readonly runtime: Runtime;
  /** Rejects while Redis cannot do its work; settles in bounded time. */
  readonly probe: () => Promise<unknown>;
  readonly changed: (up: boolean) => void;
}

/** Failures in a row after which Redis is left alone: each costs a call its whole deadline. */
const FAILURES = 3;

/** Between two probes, in ms, and half of it again by chance: a Redis that comes back is not met by all at once. */
const REST = 100;

export function createHealth({ runtime, probe, changed }: HealthOptions): Health {
  let up = false;
  let reason: unknown;
  let failures = 0;
  /** A connection's number while there is one; what a probe of an older one says is not heard. */
  let session: number | undefined;
  let sessions = 0;
  let rest: CancelTimer | undefined;
  /** Whether the last connection was not up at any time. */
  let useless = false;

  function set(to: boolean): void {
    if (up === to) return;
    up = to;
    failures = 0;
    changed(to);
  }

  function ask(of: number): void {
    rest = undefined;
    probe().then(
      () => {
        if (of !== session) return;
        reason = undefined;
        useless = false;
        set(true);
      },
      (error: unknown) => {
        if (of !== session) return;
        reason = error;
        again(of);
      },
    );
  }

  function again(of: number): void {
    rest = runtime.setTimer(REST * (1 + runtime.random() / 2), () => ask(of));
  }

  function leave(why: unknown): void {
    session = undefined;
    rest?.();
    rest = undefined;
    if (why !== undefined) reason = why;
    set(false);
  }

  return {
    get up() {
      return up;
    },
    get reason() {
      return reason;
    },
    succeeded() {
      failures = 0;
    },
    failed(why) {
      if (!up || ++failures < FAILURES) return;
      reason = why;
      set(false);
      if (session !== undefined) again(session);
    },
    connected() {
      leave(undefined);
      session = ++sessions;
      // A connection after one that never was of use waits its turn: else a replica that we write to would be
      // connected to again and again without a rest.
      if (useless) again(session);
      else ask(session);
      useless = true;
    },
    disconnected: leave,
    close() {
      leave(undefined);
    },
  };
}
