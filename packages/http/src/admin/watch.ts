import type { BreakwaterEvent, Listener, Managed, Watchable } from "@breakwater/core";

/** Clients that may become more while they are watched. */
export interface Watch<T> {
  /** What is kept of those of this moment. */
  clients(): readonly T[];
  stop(): void;
}

export interface Watcher<T> {
  /** Told everything, each event once. */
  readonly all: Listener;
  /** Begins to keep something of a client. */
  readonly begin: (client: Managed) => T;
  /** Told what happens in it. */
  readonly note: (kept: T, event: BreakwaterEvent) => void;
}

interface Kept<T> {
  readonly value: T;
  readonly forget: () => void;
}

/**
 * Events say the name of a client, and names may be alike: each client is listened to by itself. One that is made later
 * is noticed by its first call.
 */
export function watchClients<T>(given: readonly Watchable[], { all, begin, note }: Watcher<T>): Watch<T> {
  const kept = new Map<Managed, Kept<T>>();
  let last: BreakwaterEvent | undefined;
  /** The beginning of a call that no client that is known has told yet. */
  let strange: BreakwaterEvent | undefined;
  let stopped = false;

  /** @returns whether somebody has told it before. */
  const known = (event: BreakwaterEvent): boolean => {
    if (event === last) return true;
    last = event;
    all(event);
    return false;
  };
  const look = (): void => {
    if (stopped) return;
    const present = new Set(given.flatMap((one) => clientsOf(one)));
    for (const [client, { forget }] of kept) {
      if (present.has(client)) continue;
      forget();
      kept.delete(client);
    }
    for (const client of present) {
      if (kept.has(client)) continue;
      const value = begin(client);
      const forget = client.on((event) => {
        known(event);
        if (event === strange) strange = undefined;
        note(value, event);
      });
      kept.set(client, { value, forget });
    }
  };
  look();
  // What has several may have more of them later; its listener hears those, too, and of some that are known before they
  // tell it themselves.
  const forget = given.map((one) =>
    one.on((event) => {
      if (known(event) || strange !== undefined || event.type !== "call-start") return;
      strange = event;
      queueMicrotask(() => {
        if (strange === undefined) return;
        strange = undefined;
        try {
          look();
        } catch {
          // What somebody else's `managed()` throws is for whoever looks, and must not end the process here.
        }
      });
    }),
  );
  return {
    clients() {
      look();
      return [...kept.values()].map(({ value }) => value);
    },
    stop() {
      stopped = true;
      for (const each of forget) each();
      for (const each of kept.values()) each.forget();
      kept.clear();
    },
  };
}

/** Down to those that consist of nothing but themselves. */
function clientsOf(one: Watchable): readonly Managed[] {
  const parts = one.managed();
  return parts.flatMap((part) => ((part as Watchable) === one ? [part] : clientsOf(part)));
}
