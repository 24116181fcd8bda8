import type { Managed } from "@breakwater/core";

import type { Stats } from "./stats.ts";

/** A client that is watched. */
export interface WatchedClient {
  /** What it calls itself. */
  readonly plainName: string;
  readonly client: Managed;
  readonly stats: Stats;
}

export interface NamedClient extends WatchedClient {
  /** What nobody else is called. */
  readonly name: string;
}

/** Numbers those whose names are alike, in the order in which they were made. */
export function named(clients: readonly WatchedClient[]): readonly NamedClient[] {
  const taken = new Set(clients.map(({ plainName }) => plainName));
  const alike = new Map<string, WatchedClient[]>();
  for (const one of clients) alike.set(one.plainName, [...(alike.get(one.plainName) ?? []), one]);
  return clients.map((one) => {
    const { plainName } = one;
    const group = alike.get(plainName) as WatchedClient[];
    if (group.length === 1) return { ...one, name: plainName };
    let name = `${plainName}#${group.indexOf(one) + 1}`;
    // One that really is called so keeps its name.
    while (taken.has(name)) name += "'";
    return { ...one, name };
  });
}

/** A name that somebody sent, in a sentence. */
export function nameable(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 57)}...` : name);
}
