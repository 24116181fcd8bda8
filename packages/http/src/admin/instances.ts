import { checkInstanceAsk, type InstanceStore, type MaybePromise, type Runtime } from "@breakwater/core";

import type { Order } from "./change.ts";
import { boundedStore, reasonOf } from "./instances-bounded.ts";
import { packMessage } from "./instances-message.ts";
import { createOrders } from "./instances-orders.ts";
import { packReport } from "./instances-report.ts";
import { createView } from "./instances-view.ts";
import type { InstanceState } from "./state.ts";

export interface InstancesOptions {
  readonly store: InstanceStore;
  readonly service: string;
  /** This one. */
  readonly instance: string;
  readonly runtime: Runtime;
  /** This one as it is now. */
  readonly state: () => InstanceState;
  /** Does here what was asked of all. Rejects with an `OrderError` where that cannot be done. */
  readonly apply: (order: Order, by: string | undefined) => MaybePromise<void>;
  /** Whether nobody else needs to do it. */
  readonly holdsForAll: (order: Order) => boolean;
  /** Told what somebody should know who looks after this. */
  readonly hint: (message: string) => void;
}

/** What the instances of a service know of one another. */
export interface Instances {
  /** All of them, this one first and as it is now. `instancesError`: why there may be others. Does not reject. */
  states(): Promise<AllInstances>;
  /**
   * Asks of all the others what was done here, unless it holds for them already; each does it within two seconds, or never.
   *
   * @throws StoreError when they cannot be told
   */
  tell(order: Order, by: string | undefined): Promise<void>;
  /** Says that this instance is gone. */
  close(): Promise<void>;
}

interface AllInstances {
  readonly instances: readonly InstanceState[];
  readonly instancesError?: string;
}

/** How often this instance says how it is and listens, in ms; up to a tenth sooner, so that a fleet spreads out. */
const EVERY_MS = 2_000;
/** Not at once: a store that was made a moment ago is not connected. */
const FIRST_MS = 200;
/** An instance that is not heard of for so long is gone. */
const GONE_MS = 10_000;
/** An order that is older is not obeyed: who gave it has seen long ago that nothing happened, and done something else. */
const ORDER_MS = 10_000;
/** An outage is told when it lasts; a store that is just being connected to is none. */
const TOLD_AFTER = 2;
/** Of what is wrong with others, for people. */
const MOST_PROBLEMS = 5;

/**
 * Says in a store how this instance is, and listens there to what is asked of all, until it is closed.
 *
 * @throws ConfigError for names that no store takes
 */
export function createInstances(options: InstancesOptions): Instances {
  const { apply, hint, holdsForAll, instance, runtime, service, state } = options;
  checkInstanceAsk({ service, instance });
  const store = boundedStore(options.store, runtime);
  const view = createView({ store, service, runtime });
  const orders = createOrders({ apply, hint, instance, isClosed: () => closed, policiesOf, runtime });
  let cursor: string | undefined;
  let failure: string | undefined;
  let failures = 0;
  let leftOut: string | undefined;
  let closed = false;
  let running: Promise<void> | undefined;
  let cancel = runtime.setTimer(FIRST_MS, beat, true);

  function beat(): void {
    running = turn().then(() => {
      running = undefined;
      if (!closed) cancel = runtime.setTimer(EVERY_MS * (1 - runtime.random() / 10), beat, true);
    });
  }

  async function turn(): Promise<void> {
    const turns = await Promise.allSettled([publish(), listen()]);
    const failed = turns.find((one) => one.status === "rejected");
    if (failed === undefined) {
      if (failures >= TOLD_AFTER) hint("other instances are seen again");
      failures = 0;
      failure = undefined;
      return;
    }
    failure = reasonOf(failed.reason);
    if (++failures === TOLD_AFTER) hint(`other instances are not seen: ${failure}`);
  }

  async function publish(): Promise<void> {
    const report = packReport(state());
    if (report.leftOut !== undefined && report.leftOut !== leftOut)
      hint(`other instances are not told of ${report.leftOut} of this one: there is too much of it`);
    leftOut = report.leftOut;
    await store.put(service, instance, report.text, GONE_MS);
  }

  async function listen(): Promise<void> {
    const askedAt = runtime.now();
    const told = await store.told(service, cursor);
    cursor = told.cursor;
    // The store forgets in time; this process may have stood still before it looked at the reply.
    if (runtime.now() - askedAt >= ORDER_MS) return;
    await orders.hear(told.messages);
  }

  function policiesOf(client: string): readonly string[] {
    return (
      state()
        .clients.find(({ name }) => name === client)
        ?.policies.map(({ name }) => name) ?? []
    );
  }

  return {
    async states() {
      const here = state();
      const { away, instances, problems } = await view();
      const namesake = instances.some((one) => one.instance === instance && one.startedAt !== here.startedAt);
      const found = [
        ...(failure === undefined ? [] : [failure]),
        ...(namesake ? [`another process is called ${instance}; give each a name of its own`] : []),
        ...problems,
      ];
      const told = away ?? found.slice(0, MOST_PROBLEMS).join("; ");
      return {
        instances: [here, ...instances.filter((one) => one.instance !== instance)],
        ...(told !== "" && { instancesError: told }),
      };
    },
    async tell(order, by) {
      if (holdsForAll(order)) return;
      await store.tell(service, packMessage(orders.give(order, by)), ORDER_MS);
    },
    async close() {
      if (closed) return;
      closed = true;
      cancel();
      await running;
      // One that the store cannot be told of is gone soon all the same.
      await store.remove(service, instance).catch(() => {});
    },
  };
}
