import type { EventOf, EventSink } from "@breakwater/core";

type Of<T extends "account-open" | "account-close" | "account-low" | "key-disable" | "key-enable"> =
  T extends unknown ? Omit<EventOf<T>, "client" | "at" | "callId" | "serial"> : never;

/**
 * The clients that were told of a trouble. Accounts are shared: who finds out that it is over is often another one, or
 * nobody's call, and who counts what is amiss would count it for ever.
 */
export interface Hearers {
  tell(trouble: Of<"account-close" | "account-low" | "key-disable">, events: EventSink): void;
  /** To all that were told of it, and to `events`: who has found out. */
  end(relief: Of<"account-open" | "key-enable">, events?: EventSink): void;
}

export function createHearers(): Hearers {
  const told = new Set<EventSink>();
  return {
    tell(trouble, events) {
      told.add(events);
      events.emit(trouble);
    },
    end(relief, events) {
      if (events !== undefined) told.add(events);
      for (const each of told) each.emit({ ...relief });
      told.clear();
    },
  };
}
