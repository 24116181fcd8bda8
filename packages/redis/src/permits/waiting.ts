import type { CancelTimer } from "@breakwater/core";

import type { Context } from "../decide/part.ts";
import { CALLED_UP } from "./lua.ts";
import type { Spot, Spots } from "./spots.ts";

/** Those of this process who wait for one kind of permit: to the others they are one. */
export interface Waiting {
  readonly wakes: Set<() => void>;
  /** Since when the process has waited, or since it last got a permit: so processes take turns. */
  since: number;
  /** Redis is about to be told. */
  due: boolean;
  cancel: CancelTimer | undefined;
}

/** Waits in the server's line on behalf of whoever waits in this process's. */
export interface Queues {
  /** What this process is called in the line, and by which its place is kept. */
  readonly me: string;
  watch(spot: Spot, wake: () => void): () => void;
  /** One of those who wait got a permit. */
  granted(spot: Spot): void;
  /** One was refused. @param kept although a place was kept for him: his limit is lower than others', who come first now */
  refused(spot: Spot, kept: boolean): void;
  /** A place is kept, and is not needed now; or there are places although somebody waits: who waits is called up. */
  passOn(permits: string, limit: number): void;
  /** This process has been called up. */
  calledUp(permits: string, limit: number): void;
  /** Asks again where Redis cannot call up: a permit has come back in this process. */
  wake(spot: Spot): void;
  /** Tells Redis again who waits. */
  enlistAll(): void;
  close(): void;
}

export interface QueueOptions {
  readonly context: Context;
  readonly spots: Spots;
  /** What channels of processes begin with. */
  readonly channel: string;
  /** Redis is told again who waits after this time, in ms, and up to as much by chance. What was said to us may be lost. */
  readonly patienceMs: number;
}

export function createQueues({ context, spots, channel, patienceMs }: QueueOptions): Queues {
  const { link, outbox, presence, runtime, scope } = context;
  const me = `!${presence.instance}`;
  /** Where somebody waits, by the key of the permits. */
  const waited = new Map<string, Spot>();
  let endHearing: (() => void) | undefined;

  const patience = (): number => patienceMs * (1 + runtime.random());

  function wake({ waiting }: Spot): void {
    for (const f of waiting?.wakes ?? []) f();
  }

  function rest(spot: Spot, waiting: Waiting, ms: number): void {
    waiting.cancel?.();
    waiting.cancel = runtime.setTimer(ms, () => {
      if (!asksRedis(context)) {
        rest(spot, waiting, patience());
        wake(spot);
      } else void enlist(spot, waiting);
    });
  }

  /** Once this turn of the loop is over: whoever got a permit may have been the last who waited. */
  function enlistSoon(spot: Spot): void {
    const { waiting } = spot;
    if (waiting === undefined || waiting.due) return;
    waiting.due = true;
    setImmediate(() => {
      waiting.due = false;
      if (spot.waiting === waiting) void enlist(spot, waiting);
    });
  }

  async function enlist(spot: Spot, waiting: Waiting): Promise<void> {
    rest(spot, waiting, patience());
    if (!asksRedis(context)) return;
    const waitedUs = Math.round((runtime.now() - waiting.since) * 1_000);
    let said: unknown;
    try {
      said = await outbox.push({
        name: "permit-wait",
        keys: [spot.permits],
        args: [spot.limit, me, waitedUs],
      });
    } catch {
      return; // the timer tells it again
    }
    if (said === CALLED_UP) calledUp(spot.permits, spot.limit);
    // What comes back because its holder is dead comes back unseen.
    else if (spot.waiting === waiting)
      rest(spot, waiting, Math.min(patience(), Math.ceil(Number(said) / 1_000) + 1));
  }

  function passOn(permits: string, limit: number): void {
    outbox.push({ name: "permit-leave", keys: [permits], args: [limit, me] }).catch(() => {}); // places are not kept for long
  }

  function calledUp(permits: string, limit: number): void {
    const spot = waited.get(permits);
    if (spot === undefined) passOn(permits, limit);
    else wake(spot);
  }

  function hear(message: string): void {
    const cut = message.indexOf(" ");
    // The server knows a key with the `keyPrefix` of the client, if that has one, and we without.
    const begin = message.indexOf(scope.key("permits"), cut);
    calledUp(message.slice(begin), Number(message.slice(0, cut)));
  }

  function enlistAll(): void {
    for (const spot of waited.values()) enlistSoon(spot);
  }

  const endWatch = link.onChange((up) => {
    if (up) enlistAll();
    else for (const spot of waited.values()) wake(spot);
  });

  return {
    me,
    wake,
    passOn,
    calledUp,
    enlistAll,
    watch(spot, f) {
      endHearing ??= link.subscribe(channel + me, hear, enlistAll);
      spot.waiting ??= { wakes: new Set(), since: runtime.now(), due: false, cancel: undefined };
      const { waiting } = spot;
      const { wakes } = waiting;
      const own = (): void => f(); // the same function may wait twice
      wakes.add(own);
      waited.set(spot.permits, spot);
      enlistSoon(spot);
      return () => {
        if (!wakes.delete(own) || wakes.size > 0) return;
        waiting.cancel?.();
        spot.waiting = undefined;
        waited.delete(spot.permits);
        spots.forgetIdle(spot);
        passOn(spot.permits, spot.limit);
      };
    },
    granted(spot) {
      if (spot.waiting === undefined) return;
      spot.waiting.since = runtime.now();
      enlistSoon(spot);
    },
    refused(spot, kept) {
      if (spot.waiting === undefined) return;
      if (kept) spot.waiting.since = runtime.now();
      enlistSoon(spot);
    },
    close() {
      endHearing?.();
      endWatch();
      for (const { waiting } of waited.values()) waiting?.cancel?.();
    },
  };
}

/** Whether Redis decides at the moment, and not this process by its share. */
export const asksRedis = ({ link, presence }: Context): boolean => link.up && !presence.learning;
