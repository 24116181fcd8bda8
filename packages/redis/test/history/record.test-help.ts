import type { PermitAsk, PermitReply, RateAmounts, RateLimitAsk, RateLimitReply } from "@breakwater/core";

import type { RedisStore } from "../../src/index.ts";

export type Ask = RateLimitAsk | PermitAsk;
export type Reply = RateLimitReply | PermitReply;

/** What is done to a store. What an earlier decision granted is named by that one's number, and which of its asks it was. */
export type Deed =
  | { readonly do: "decide"; readonly asks: readonly Ask[] }
  | { readonly do: "settle"; readonly of: number; readonly which: number; readonly by: RateAmounts }
  | { readonly do: "release"; readonly of: number; readonly which: number };

/** One line of a log: an operation begins, or has ended. */
export type Line =
  | { readonly id: number; readonly at: string; readonly deed: Deed }
  | { readonly id: number; readonly at: string; readonly replies: readonly Reply[] }
  /** Nobody knows whether it took effect. */
  | { readonly id: number; readonly at: string; readonly error: string };

/** What a decision granted. */
export interface Granted {
  readonly id: number;
  readonly asks: readonly Ask[];
  readonly replies: readonly Reply[];
}

export interface Recorder {
  /** @returns what it granted, if it did */
  decide(asks: readonly Ask[]): Promise<Granted | undefined>;
  settle(granted: Granted, which: number, by: RateAmounts): Promise<void>;
  release(granted: Granted, which: number): Promise<void>;
}

/** Does it to the store and writes it down: that it is done before it is, and what was said after that. */
export function recorder(store: RedisStore, write: (line: Line) => void): Recorder {
  let ids = 0;
  const at = (): string => String(process.hrtime.bigint());

  async function record(deed: Deed, run: () => unknown): Promise<Granted | undefined> {
    const id = ids++;
    write({ id, at: at(), deed });
    try {
      const replies = (await run()) as readonly Reply[];
      write({ id, at: at(), replies });
      return deed.do === "decide" && replies.every(admits) ? { id, asks: deed.asks, replies } : undefined;
    } catch (error) {
      write({ id, at: at(), error: String(error) });
      return undefined;
    }
  }

  /** A store that does not promise to tell Redis is going to do so later, or never. */
  async function told(promise: unknown): Promise<readonly Reply[]> {
    if (!(promise instanceof Promise)) throw new Error("it was not told");
    await promise;
    if (!store.status().up) throw new Error("nobody knows whether it was told");
    return [];
  }

  return {
    decide: (asks) =>
      record({ do: "decide", asks }, async () => {
        const [first] = asks;
        if (asks.length > 1) return store.decideAll?.(asks as readonly RateLimitAsk[]);
        return [await (first?.kind === "permit" ? store.decide(first) : store.decide(first as RateLimitAsk))];
      }),
    async settle({ id, asks, replies }, which, by) {
      const [ask, reply] = [asks[which] as RateLimitAsk, replies[which] as RateLimitReply];
      await record({ do: "settle", of: id, which, by }, () =>
        told(store.settle(ask, reply, { ...by, now: ask.now })),
      );
    },
    async release({ id, asks, replies }, which) {
      const [ask, reply] = [asks[which] as PermitAsk, replies[which] as PermitReply];
      await record({ do: "release", of: id, which }, () => told(store.release(ask, reply)));
    },
  };
}

export const admits = (reply: Reply): boolean => ("granted" in reply ? reply.granted : reply.admitted);
