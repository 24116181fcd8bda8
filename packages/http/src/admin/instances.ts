import {
  checkInstanceAsk,
  type InstanceStore,
  type MaybePromise,
  type Runtime,
  StoreError,
} from "@breakwater/core";

import { type Order, OrderError } from "./change.ts";
import { packMessage, type Message, readMessage } from "./instances-message.ts";
import { packReport, readReport } from "./instances-report.ts";
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

export interface AllInstances {
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
/** What was read is news for so long, for all who look at the page: more comes every other second only. */
const NEWS_MS = 1_000;
/** And for longer where there is much of it: whoever looks at two hundred instances must not slow down the one he asks. */
const CHARACTERS_PER_MS = 1_000;
/** No store may take longer, whatever it says of itself. */
const WITHIN_MS = 5_000;
/** An outage is told when it lasts; a store that is just being connected to is none. */
const TOLD_AFTER = 2;
/** Orders that are remembered; a store keeps fewer. */
const MOST_SEEN = 500;

/**
 * Says in a store how this instance is, and listens there to what is asked of all, until it is closed.
 *
 * @throws ConfigError for names that no store takes
 */
export function createInstances(options: InstancesOptions): Instances {
  const { apply, hint, holdsForAll, instance, runtime, service, state, store } = options;
  checkInstanceAsk({ service, instance });
  const seen = new Set<string>();
  let cursor: string | undefined;
  let orders = 0;
  let failure: string | undefined;
  let failures = 0;
  let leftOut: string | undefined;
  let closed = false;
  let running: Promise<void> | undefined;
  let cancel = runtime.setTimer(FIRST_MS, beat, true);
  let news: { until: number; readonly found: Promise<AllInstances> } | undefined;

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
    await bounded(() => store.put(service, instance, report.text, GONE_MS));
  }

  async function listen(): Promise<void> {
    const askedAt = runtime.now();
    const told = await bounded(() => store.told(service, cursor));
    cursor = told.cursor;
    // The store forgets in time; this process may have stood still before it looked at the reply.
    if (runtime.now() - askedAt >= ORDER_MS) return;
    let odd = 0;
    for (const text of told.messages) {
      const message = readMessage(text);
      if (message === undefined) odd++;
      else if (!closed && isNew(message.id)) await obey(message);
    }
    if (odd > 0) hint(`what all instances were told is no order, or of another release: ${odd} ignored`);
  }

  function isNew(id: string): boolean {
    if (seen.has(id)) return false;
    for (const oldest of seen) {
      if (seen.size < MOST_SEEN) break;
      seen.delete(oldest);
    }
    seen.add(id);
    return true;
  }

  async function obey({ by, order, policyName }: Message): Promise<void> {
    try {
      const here = typeof order.policy === "number" ? nameAt(order.client, order.policy) : undefined;
      if (policyName !== undefined && here !== policyName)
        throw new OrderError(409, "AMBIGUOUS", `the policy at position ${order.policy} is another one here`);
      await apply(order, by);
    } catch (error) {
      hint(`what ${by ?? "somebody"} asked of all instances was not done here: ${reasonOf(error)}`);
    }
  }

  function policiesOf(client: string): readonly string[] {
    return (
      state()
        .clients.find(({ name }) => name === client)
        ?.policies.map(({ name }) => name) ?? []
    );
  }

  function nameAt(client: string, position: number): string | undefined {
    return policiesOf(client)[position];
  }

  /** By its name, where one policy only has it: in another release it may stand elsewhere. */
  function addressed(order: Order): Pick<Message, "order" | "policyName"> {
    if (typeof order.policy === "string") return { order };
    const names = policiesOf(order.client);
    const policyName = names[order.policy];
    if (policyName === undefined) return { order };
    const once = names.indexOf(policyName) === names.lastIndexOf(policyName);
    return once ? { order: { ...order, policy: policyName } } : { order, policyName };
  }

  function look(): Promise<AllInstances> {
    const now = runtime.now();
    if (news !== undefined && now < news.until) return news.found;
    const keep = (characters: number): void => {
      fresh.until = now + Math.max(NEWS_MS, characters / CHARACTERS_PER_MS);
    };
    const fresh = { until: Infinity, found: read(keep) }; // nobody asks again while it is read
    news = fresh;
    return fresh.found;
  }

  async function read(keep: (characters: number) => void): Promise<AllInstances> {
    try {
      const reports = await bounded(() => store.all(service));
      keep(reports.reduce((sum, { report }) => sum + report.length, 0));
      const all = reports
        .map((one) => readReport(one.instance, one.report))
        .filter((one) => one !== undefined);
      const known = all.filter((one) => one.state.instance !== instance);
      const namesake = all.some(
        ({ state: said }) => said.instance === instance && said.startedAt !== state().startedAt,
      );
      const strange = reports.length - all.length;
      const short = known.filter((one) => one.leftOut !== undefined);
      const problems = [
        ...(failure === undefined ? [] : [failure]),
        ...(namesake ? [`another process is called ${instance}; give each a name of its own`] : []),
        ...(strange === 0 ? [] : [`${strange} of them cannot be read; another release?`]),
        ...short.map((one) => `${one.state.instance} has too much to tell: ${one.leftOut} left out`),
      ];
      return {
        instances: known.map((one) => one.state),
        ...(problems.length > 0 && { instancesError: problems.slice(0, 5).join("; ") }),
      };
    } catch (error) {
      keep(0);
      return { instances: [], instancesError: reasonOf(error) };
    }
  }

  /** A store answers in bounded time; one of somebody's own may not, and would take the page with it. */
  function bounded<T>(ask: () => MaybePromise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const late = new StoreError(`the store did not answer within ${WITHIN_MS} ms`);
      const stop = runtime.setTimer(WITHIN_MS, () => reject(late), true);
      void (async () => ask())().then(resolve, reject).finally(stop);
    });
  }

  return {
    async states() {
      const { instances, ...problem } = await look();
      return { instances: [state(), ...instances], ...problem };
    },
    async tell(order, by) {
      if (holdsForAll(order)) return;
      const id = `${instance} ${++orders} ${runtime.random().toString(36).slice(2)}`;
      isNew(id); // it was done here
      const message = packMessage({ id, ...addressed(order), ...(by !== undefined && { by }) });
      await bounded(() => store.tell(service, message, ORDER_MS));
    },
    async close() {
      if (closed) return;
      closed = true;
      cancel();
      await running;
      // One that the store cannot be told of is gone soon all the same.
      await bounded(() => store.remove(service, instance)).catch(() => {});
    },
  };
}

/** Of our own errors what they say; of any other no more than what it is: who wrote it knows what is in it. */
function reasonOf(error: unknown): string {
  if (error instanceof OrderError || StoreError.isInstance(error)) return error.message;
  return error instanceof Error ? error.name : "an error";
}
