import { type AccountState, isLow } from "./account.ts";

/** How an account stands. Holds no key, only the last four characters of each. */
export interface AccountSnapshot {
  readonly id: string;
  /** `low`: open, and the host has cut its concurrency because of its balance. */
  readonly state: "open" | "low" | "closed";
  /** Of a closed one: milliseconds until the next call asks about it. */
  readonly retryAfterMs?: number;
  /** As it was last seen, by currency; absent if nobody asked yet. */
  readonly balance?: { readonly total: Readonly<Record<string, number>>; readonly ageMs: number };
  readonly keys: readonly KeySnapshot[];
}

export interface KeySnapshot {
  /** The last four characters. */
  readonly key: string;
  readonly state: "enabled" | "disabled";
  /** Of a disabled one: milliseconds until the next call asks about it. */
  readonly retryAfterMs?: number;
}

export function snapshotOf(account: AccountState, now: number): AccountSnapshot {
  const { balance, gate, id, keys } = account;
  return {
    id,
    state: gate.open ? (isLow(account, now) ? "low" : "open") : "closed",
    ...(!gate.open && { retryAfterMs: gate.dueInMs(now) }),
    ...(balance !== undefined && { balance: { total: { ...balance.total }, ageMs: now - balance.at } }),
    keys: keys.map((key) => ({
      key: key.tail,
      state: key.gate.open ? "enabled" : "disabled",
      ...(!key.gate.open && { retryAfterMs: key.gate.dueInMs(now) }),
    })),
  };
}
