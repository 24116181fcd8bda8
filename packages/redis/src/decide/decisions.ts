import {
  isPromise,
  type MaybePromise,
  type OutageMode,
  type Runtime,
  StoreError,
  type StoreSource,
} from "@breakwater/core";

import type { Link } from "../connection/link.ts";
import type { Presence } from "../presence/presence.ts";
import { createFirstMeeting } from "./first-meeting.ts";
import { type AnyPart, type Decision, decisionOf, MOST_MEMBERS } from "./frame.ts";
import { admits, admitted, type StoreAskOfAKind } from "./kinds.ts";
import type { Pending } from "./part.ts";

export interface DecisionsOptions {
  readonly link: Link;
  readonly runtime: Runtime;
  readonly presence: Presence;
  readonly partOf: (ask: StoreAskOfAKind) => AnyPart;
}

/** Decides groups of asks: by Redis in one round trip, or without it as each ask wants it. */
export function createDecisions({ link, runtime, presence, partOf }: DecisionsOptions): {
  decideAll(asks: readonly StoreAskOfAKind[]): MaybePromise<readonly unknown[]>;
} {
  const known = new Map<string, Decision>();
  const firstMeeting = createFirstMeeting(link, runtime);

  function decisionFor(members: readonly Asked[]): Decision {
    const shapes = members.map(({ pending }) => pending.shape).join("+");
    let decision = known.get(shapes);
    if (decision === undefined) {
      decision = decisionOf(members.map(({ part, pending }) => ({ part, shape: pending.shape })));
      known.set(shapes, decision);
    }
    return decision;
  }

  function enter(asks: readonly StoreAskOfAKind[]): MaybePromise<readonly unknown[]> {
    const ready = presence.ready();
    if (ready === undefined) return begin(asks);
    return ready.then(
      () => begin(asks),
      (error: unknown) => apart(asks, error),
    );
  }

  function begin(asks: readonly StoreAskOfAKind[]): MaybePromise<readonly unknown[]> {
    const alone = asks.length === 1;
    const begun = asks.map((ask) => partOf(ask).begin(ask, alone));
    if (!begun.some(isPromise)) return proceed(asks, begun as Pending<unknown>[]);
    return Promise.all(begun.map((one) => Promise.resolve(one))).then(
      (pendings) => proceed(asks, pendings),
      (error: unknown) => apart(asks, error),
    );
  }

  function proceed(
    asks: readonly StoreAskOfAKind[],
    pendings: readonly Pending<unknown>[],
  ): MaybePromise<readonly unknown[]> {
    const group = asks.map((ask, i): Asked => ({
      ask,
      part: partOf(ask),
      pending: pendings[i] as Pending<unknown>,
    }));
    if (pendings.some((pending) => pending.known?.refuses === true)) {
      for (const one of group) if (one.pending.known?.refuses === false) takeBack(one);
      return group.map(({ pending }) => from("store", pending.known?.reply ?? pending.idle()));
    }
    const members = group.filter(({ pending }) => pending.known === undefined);
    if (members.length === 0) return group.map(({ pending }) => from("store", pending.known?.reply));
    return askRedis(asks, group, members);
  }

  async function askRedis(
    asks: readonly StoreAskOfAKind[],
    group: readonly Asked[],
    members: readonly Asked[],
  ): Promise<readonly unknown[]> {
    const { script, at } = decisionFor(members);
    const keys: string[] = [];
    const args: (string | number)[] = [presence.learnUntil];
    for (const { pending } of members) pending.write(keys, args);
    let values: readonly unknown[];
    try {
      values = (await link.run(script, keys, args)) as readonly unknown[];
    } catch (error) {
      for (const one of group) {
        if (one.pending.known === undefined) one.pending.lost();
        else takeBack(one);
      }
      return apart(asks, error);
    }
    const taken = values[0] === 1;
    let next = 0;
    return group.map((one) => {
      if (one.pending.known === undefined)
        return from("store", one.pending.read(values, at[next++] as number, taken));
      if (!taken) takeBack(one);
      return from("store", one.pending.known.reply);
    });
  }

  /** Without Redis. All or nothing here as well. */
  function apart(asks: readonly StoreAskOfAKind[], cause: unknown = link.reason): readonly unknown[] {
    const closed = asks.find(({ outage }) => outage === "closed");
    if (closed !== undefined) {
      throw new StoreError(
        `${closed.name}: Redis cannot decide at the moment, and this policy's outage is "closed".`,
        { cause },
      );
    }
    const replies: unknown[] = [];
    let refused = false;
    for (const ask of asks) {
      const mode: OutageMode = ask.outage ?? "local";
      const reply = mode === "open" ? admitted(ask) : from("local", partOf(ask).local(ask));
      refused ||= !admits(ask, reply);
      replies.push(reply);
    }
    if (refused) {
      for (const [i, ask] of asks.entries())
        if (ask.outage !== "open" && admits(ask, replies[i])) partOf(ask).undo(ask, replies[i]);
    }
    return replies;
  }

  return {
    decideAll(asks) {
      if (asks.length > MOST_MEMBERS)
        throw new StoreError(
          `${asks.length} guards cannot be decided together, at most ${MOST_MEMBERS} can.`,
        );
      if (link.up) return enter(asks);
      const meeting = firstMeeting();
      return meeting === undefined ? apart(asks) : meeting.then(() => (link.up ? enter(asks) : apart(asks)));
    },
  };
}

interface Asked {
  readonly ask: StoreAskOfAKind;
  readonly part: AnyPart;
  readonly pending: Pending<unknown>;
}

/** Granted in this process without Redis, for a call that was not admitted after all. */
function takeBack({ ask, part, pending }: Asked): void {
  part.undo(ask, pending.known?.reply);
}

/** Replies are made for one decision alone, so each can be told where it came from. */
function from(source: StoreSource, reply: unknown): unknown {
  const told = reply as { source?: StoreSource };
  told.source ??= source;
  return told;
}
