import type { MaybePromise, Runtime } from "@breakwater/core";

import { type Order, OrderError } from "./change.ts";
import { reasonOf } from "./instances-bounded.ts";
import { addressOf, type Message, readMessage } from "./instances-message.ts";

/** The orders that one instance gives and hears. */
export interface Orders {
  /** What is told to all of an order that was done here. */
  give(order: Order, by: string | undefined): Message;
  /** Does what others have ordered, in the order in which all are told it. Does not reject. */
  hear(texts: readonly string[]): Promise<void>;
}

export interface OrdersOptions {
  /** This one. */
  readonly instance: string;
  readonly runtime: Runtime;
  readonly apply: (order: Order, by: string | undefined) => MaybePromise<void>;
  /** Names of a client's policies here, in their order. */
  readonly policiesOf: (client: string) => readonly string[];
  readonly isClosed: () => boolean;
  readonly hint: (message: string) => void;
}

interface Given {
  readonly message: Message;
  /** Somebody else's order for the same policy was done after it, and is older for all others. */
  overtaken: boolean;
}

/** Orders that are remembered; a store keeps fewer. */
const MOST_SEEN = 500;

export function createOrders({
  apply,
  hint,
  instance,
  isClosed,
  policiesOf,
  runtime,
}: OrdersOptions): Orders {
  const seen = new Set<string>();
  /** Those of this instance that it has not heard itself yet. */
  const given = new Map<string, Given>();
  let count = 0;

  function isNew(id: string): boolean {
    if (seen.has(id)) return false;
    for (const oldest of seen) {
      if (seen.size < MOST_SEEN) break;
      seen.delete(oldest);
      given.delete(oldest);
    }
    seen.add(id);
    return true;
  }

  async function obey({ by, order, policyName }: Message): Promise<void> {
    try {
      const here = typeof order.policy === "number" ? policiesOf(order.client)[order.policy] : undefined;
      if (policyName !== undefined && here !== policyName)
        throw new OrderError(409, "AMBIGUOUS", `the policy at position ${order.policy} is another one here`);
      await apply(order, by);
      for (const one of given.values()) if (isSame(one.message.order, order)) one.overtaken = true;
    } catch (error) {
      const why = error instanceof OrderError ? error.message : reasonOf(error);
      hint(`what ${by ?? "somebody"} asked of all instances was not done here: ${why}`);
    }
  }

  return {
    give(order, by) {
      const id = `${instance} ${++count} ${runtime.random().toString(36).slice(2)}`;
      const message = { id, ...addressOf(order, policiesOf(order.client)), ...(by !== undefined && { by }) };
      isNew(id); // it was done here
      given.set(id, { message, overtaken: false });
      return message;
    },
    async hear(texts) {
      let odd = 0;
      for (const text of texts) {
        const message = readMessage(text);
        if (message === undefined) {
          odd++;
          continue;
        }
        const own = given.get(message.id);
        given.delete(message.id);
        // Two orders at once: what was told last holds everywhere, also where the other came after it.
        if (!isClosed() && (own?.overtaken === true || isNew(message.id)))
          await obey(own?.message ?? message);
      }
      if (odd > 0) hint(`what all instances were told is no order, or of another release: ${odd} ignored`);
    },
  };
}

function isSame(one: Order, other: Order): boolean {
  return one.client === other.client && one.policy === other.policy;
}
