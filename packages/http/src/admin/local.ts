import {
  type BreakwaterEvent,
  type Managed,
  type Snapshot,
  watchables,
  type Watched,
} from "@breakwater/core";

import { applyOrder, holdsForAll, type Order } from "./change.ts";
import { type NamedClient, named, type WatchedClient } from "./names.ts";
import type { AdminConfig } from "./options.ts";
import { createReaders, type Readers } from "./readers.ts";
import { createRecent } from "./recent.ts";
import { type InstanceState, stateOf } from "./state.ts";
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
  const all = (event: BreakwaterEvent): void => {
    recent.note(event);
    readers.tell(event);
  };
  const watch = watchClients<WatchedClient>(watchables(clients, "admin"), {
    all,
    begin: (client: Managed) => {
      const snapshot = (): Snapshot => client.snapshot();
      return { client, plainName: snapshot().name, stats: createStats(runtime, snapshot) };
    },
    note: ({ stats }, event) => stats.note(event),
  });
  const present = (): readonly NamedClient[] => named(watch.clients());
  return {
    instance,
    clients: present,
    state: () => ({
      instance,
      at: runtime.wallNow(),
      startedAt,
      clients: present().map(({ client, name, stats }) => stateOf(name, client, stats)),
      events: recent.list(),
    }),
    apply: (order, by) => applyOrder(present(), order, by),
    holdsForAll: (order) => holdsForAll(present(), order),
    tell: (told) => all({ ...told, client: "admin", at: runtime.now() }),
    readers,
    close() {
      watch.stop();
      readers.close();
    },
  };
}
