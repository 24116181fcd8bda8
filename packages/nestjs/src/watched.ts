import type { Listener, Managed, Watchable } from "@breakwater/core";

/** Many that are watched as one, of which some come later, and some are replaced before they have begun. */
export interface Watched extends Watchable {
  /** Is to be called when others are there than before. */
  follow(): void;
  /** Forgets everybody who listens: what is watched may live longer than who watched it together. */
  close(): void;
}

interface Subscription {
  readonly listener: Listener;
  /** What it listens to, and how to stop. */
  readonly to: Map<Watchable, () => void>;
}

/** @param present what there is at this moment */
export function watchedTogether(present: () => readonly Watchable[]): Watched {
  const subscriptions = new Set<Subscription>();
  const adapt = ({ listener, to }: Subscription): void => {
    const wanted = new Set(outermost(present()));
    for (const [one, forget] of to) {
      if (wanted.has(one)) continue;
      forget();
      to.delete(one);
    }
    for (const one of wanted) if (!to.has(one)) to.set(one, one.on(listener));
  };
  const end = (subscription: Subscription): void => {
    for (const forget of subscription.to.values()) forget();
    subscription.to.clear();
    subscriptions.delete(subscription);
  };
  return {
    managed: () => [...new Set(present().flatMap((one): readonly Managed[] => one.managed()))],
    on(listener) {
      const subscription: Subscription = { listener, to: new Map() };
      subscriptions.add(subscription);
      adapt(subscription);
      return () => end(subscription);
    },
    follow() {
      for (const subscription of subscriptions) adapt(subscription);
    },
    close() {
      for (const subscription of subscriptions) end(subscription);
    },
  };
}

/** Without those that are a part of another, as a client is of the DeepSeek around it: what happens is told once. */
function outermost(present: readonly Watchable[]): readonly Watchable[] {
  const all = [...new Set(present)].map((one) => ({ one, parts: new Set(one.managed()) }));
  return all
    .filter(({ parts }, position) => {
      // What makes its clients later has none yet.
      if (parts.size === 0) return true;
      return !all.some(
        (other, at) =>
          at !== position &&
          [...parts].every((part) => other.parts.has(part)) &&
          (other.parts.size > parts.size || at < position),
      );
    })
    .map(({ one }) => one);
}
