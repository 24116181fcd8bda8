import type { CancelTimer, Runtime } from "@breakwater/core";

import type { Deadlines } from "./deadlines.ts";
import type { RedisClient } from "./redis-client.ts";

/** Hears what is published, over a connection of its own: a flood of messages must not delay decisions. */
export interface Subscriber {
  /** @param begin runs each time that it begins to hear: what was said before then was missed */
  subscribe(channel: string, hear: (message: string) => void, begin?: () => void): () => void;
  close(): void;
}

export interface SubscriberOptions {
  readonly runtime: Runtime;
  readonly deadlines: Deadlines;
  /** A connection that does not reconnect by itself; `undefined` when there is nobody to connect to at the moment. */
  readonly make: () => RedisClient | undefined;
}

interface Hearer {
  readonly hear: (message: string) => void;
  readonly begin: (() => void) | undefined;
}

/** Before the next try to connect, in ms, of which half is left to chance: twice as long each time that it was in vain. */
const REST = 100;
const LONGEST_REST = 1_000;

/** A connection that nothing is said on may be dead for a quarter of an hour before TCP knows: it is asked this often. */
const PING_EVERY = 5_000;
const PING_WITHIN = 1_000;

export function createSubscriber({ runtime, deadlines, make }: SubscriberOptions): Subscriber {
  const channels = new Map<string, Set<Hearer>>();
  let client: RedisClient | undefined;
  let later: CancelTimer | undefined;
  let closed = false;
  /** Tries since it last began to hear. */
  let vain = 0;

  /** A new connection each time, even to a single server: of a cluster any node will do, but not one that is gone. */
  function open(): void {
    later = undefined;
    const made = make();
    if (made === undefined) {
      again();
      return;
    }
    client = made;
    made.on("error", () => {}); // its end says the same
    made.on("message", (channel: string, message: string) => {
      if (made === client) for (const { hear } of channels.get(channel) ?? []) isolated(hear, message);
    });
    made.on("ready", () => {
      if (made !== client) return;
      for (const channel of channels.keys()) join(made, channel);
      watch(made);
    });
    made.on("end", () => leave(made));
  }

  function again(): void {
    const rest = Math.min(LONGEST_REST, REST * 2 ** Math.min(vain++, 10));
    later = runtime.setTimer((rest * (1 + runtime.random())) / 2, open);
  }

  function leave(of: RedisClient): void {
    if (of !== client) return;
    client = undefined;
    later?.();
    later = undefined;
    of.disconnect();
    if (channels.size > 0) again();
  }

  function join(to: RedisClient, channel: string): void {
    to.call("subscribe", channel).then(
      () => {
        if (to !== client) return;
        vain = 0;
        for (const { begin } of channels.get(channel) ?? []) isolated(begin);
      },
      () => leave(to),
    );
  }

  function watch(of: RedisClient): void {
    later = runtime.setTimer(PING_EVERY, () => {
      const cancel = deadlines.set(PING_WITHIN, () => leave(of));
      of.call("ping").then(
        () => {
          cancel();
          if (of === client) watch(of);
        },
        () => {
          cancel();
          leave(of);
        },
      );
    });
  }

  return {
    subscribe(channel, hear, begin) {
      if (closed) return () => {}; // a call that goes on after its store was closed must not connect again
      const hearer = { hear, begin };
      const known = channels.get(channel);
      // A second hearer joins again too: so it is told when it begins, and Redis does not mind.
      channels.set(channel, (known ?? new Set()).add(hearer));
      if (client?.status === "ready") join(client, channel);
      else if (client === undefined && later === undefined) open();
      return () => {
        const hearers = channels.get(channel);
        if (hearers?.delete(hearer) !== true || hearers.size > 0) return;
        channels.delete(channel);
        if (channels.size === 0) {
          later?.();
          later = undefined;
          if (client !== undefined) leave(client);
        } else if (client?.status === "ready") client.call("unsubscribe", channel).catch(() => {});
      };
    },
    close() {
      closed = true;
      channels.clear();
      later?.();
      later = undefined;
      if (client !== undefined) leave(client);
    },
  };
}

/** One who hears badly must not keep the others from hearing. */
function isolated<A extends readonly unknown[]>(f: ((...args: A) => void) | undefined, ...args: A): void {
  try {
    f?.(...args);
  } catch {
    // Nobody to tell: what was said has been heard.
  }
}
