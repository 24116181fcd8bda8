import {
  type BreakwaterEvent,
  type Managed,
  type Snapshot,
  watchables,
  type Watched,
} from "@breakwater/core";

import { applyOrder, holdsForAll, type Order } from "./change.ts";
import { createNumbers, type NamedClient, named, type WatchedClient } from "./names.ts";
import type { AdminConfig } from "./options.ts";
import { createReaders, type Readers } from "./readers.ts";
import { createRecent } from "./recent.ts";
import { type ClientState, type InstanceState, stateOf } from "./state.ts";
import { createStats } from "./stats.ts";
import { watchClients } from "./watch.ts";

/** The clients of this process, and what is known of them. */
export interface Local {
  readonly instance: string;
  clients(): readonly NamedClient[];
  state(): InstanceState;
  /** @throws OrderError where nothing has changed */
  apply(order: Order, by: string | undefined): Promise<void>;
  /** Whether it holds in all processes once it was done here. */
  holdsForAll(order: Order): boolean;
  /** Tells those who look something that no client can tell. */
  tell(event: Told): void;
  readonly readers: Readers;
  close(): void;
}

type Told<E = Extract<BreakwaterEvent, { readonly type: "callback-throw" | "hint" | "store-fail" }>> =
  E extends unknown ? Omit<E, "client" | "at" | "callId" | "serial"> : never;

/** It listens from now on; nothing else goes on until somebody asks. */
export function openLocal(
  clients: Watched,
  { instance, runtime }: Pick<AdminConfig, "instance" | "runtime">,
): Local {
  const startedAt = runtime.wallNow();
  const recent = createRecent(runtime);
  const readers = createReaders(runtime);
  const numberOf = createNumbers();
  const all = (event: BreakwaterEvent): void => {
    recent.note(event);
    readers.tell(event);
  };
  const watch = watchClients<WatchedClient>(watchables(clients, "admin"), {
    all,
    begin: (client: Managed) => {
      const snapshot = (): Snapshot => snapshotOf(client);
      const plainName = snapshot().name;
      return { client, plainName, number: numberOf(plainName), stats: createStats(runtime, snapshot) };
    },
    note: ({ stats }, event) => stats.note(event),
  });
  const present = (): readonly NamedClient[] => named(watch.clients());
  const tell: Local["tell"] = (told) => all({ ...told, client: "admin", at: runtime.now() });
  const shown = ({ client, name, stats }: NamedClient): readonly ClientState[] => {
    try {
      return [stateOf(name, client, stats)];
    } catch (error) {
      // A policy of somebody's own cannot say how it is: that is no reason to show nothing of the others.
      tell({ type: "callback-throw", where: `admin: ${name}`, error });
      return [];
    }
  };
  return {
    instance,
    clients: present,
    state: () => ({
      instance,
      at: runtime.wallNow(),
      startedAt,
      clients: present().flatMap(shown),
      events: recent.list(),
    }),
    apply: (order, by) => applyOrder(present(), order, by),
    holdsForAll: (order) => holdsForAll(present(), order),
    tell,
    readers,
    close() {
      watch.stop();
      readers.close();
    },
  };
}

/** For those who listen, whom an error of somebody else's must not end. */
function snapshotOf(client: Managed): Snapshot {
  try {
    return client.snapshot();
  } catch {
    return { ...UNKNOWN, name: (client as { readonly name?: string }).name || "client" };
  }
}

const UNKNOWN: Omit<Snapshot, "name"> = {
  inFlight: 0,
  draining: false,
  retryBudget: { available: 0, ratio: 0 },
  policies: [],
};
