import type { Managed } from "@breakwater/core";

import type { Stats } from "./stats.ts";

/** A client that is watched. */
export interface WatchedClient {
  /** What it calls itself. */
  readonly plainName: string;
  /** Which one of those that are called so; no other gets it while they are there. */
  readonly number: number;
  readonly client: Managed;
  readonly stats: Stats;
}

export interface NamedClient extends WatchedClient {
  /** What nobody else is called. */
  readonly name: string;
}

/** Names whose numbers are remembered. */
const MOST_NAMES = 1_000;

/** Numbers clients of one name in the order in which they are made: who means the second does not get the third instead. */
export function createNumbers(): (plainName: string) => number {
  const last = new Map<string, number>();
  return (plainName) => {
    const number = (last.get(plainName) ?? 0) + 1;
    last.delete(plainName);
    last.set(plainName, number);
    const [oldest] = last.keys();
    if (last.size > MOST_NAMES && oldest !== undefined) last.delete(oldest);
    return number;
  };
}

/** With their numbers where names are alike. */
export function named(clients: readonly WatchedClient[]): readonly NamedClient[] {
  const taken = new Set(clients.map(({ plainName }) => plainName));
  const alike = new Map<string, number>();
  for (const { plainName } of clients) alike.set(plainName, (alike.get(plainName) ?? 0) + 1);
  return clients.map((one) => {
    const { number, plainName } = one;
    if (alike.get(plainName) === 1) return { ...one, name: plainName };
    let name = `${plainName}#${number}`;
    // One that really is called so keeps its name.
    while (taken.has(name)) name += "'";
    taken.add(name);
    return { ...one, name };
  });
}

/** A name that somebody sent, in a sentence. */
export function nameable(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 57)}...` : name);
}
