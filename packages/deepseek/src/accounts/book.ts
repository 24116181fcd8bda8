import type { Call, Refusal, Runtime } from "@breakwater/core";

import {
  type AccountState,
  createAccountState,
  createKeyState,
  type Here,
  isUsable,
  type KeyState,
  readyInMs,
  resetAccount,
  tailOf,
} from "./account.ts";
import type { AccountOptions, AccountRules } from "./options.ts";
import { find, type Pick, preferred } from "./pick.ts";
import type { Asker } from "./probe.ts";
import { type AccountSnapshot, snapshotOf } from "./snapshot.ts";
import { watch } from "./watch.ts";

/** A place at an account, for one attempt. */
export interface Lease {
  readonly key: string;
  /** Whether another key, or another account, would take the call now. */
  elsewhere(scope: "key" | "account"): boolean;
}

/** The accounts of a client, and what is known of them. */
export interface AccountBook {
  /** The account that the call goes to, as far as can be said before it is let in. */
  idFor(call: Call<unknown>): string | undefined;
  /** A key for the call, or why there is none. Waits only for answers that are on their way. */
  admit(call: Call<unknown>, asker: Asker): Promise<Lease | Refusal>;
  /** The same for a key that somebody brings along, of the account that he says, else one of its own. */
  admitKey(call: Call<unknown>, asker: Asker, key: string, owner: Owner): Promise<Lease | Refusal>;
  /** A key for what neither costs nor counts. */
  anyKey(): string | undefined;
  /** Whose call it is that brings a key along. */
  idOfKey(key: string, owner: Owner): string;
  snapshot(): readonly AccountSnapshot[];
  reset(id?: string): boolean;
}

/** Whose a key is that came with a call. */
interface Owner {
  /** Keeps hosts apart. */
  readonly place: string;
  readonly account?: string | undefined;
}

/** Accounts of keys that calls brought along, at most. */
const MAX_GUESTS = 1_000;
const MAX_KEYS = 100;

export function createBook(accounts: readonly AccountOptions[], rules: AccountRules): AccountBook {
  const own = accounts.map(({ id, keys }) => createAccountState(id, keys, rules));
  const guests = new Map<string, AccountState>();
  const picks = new WeakMap<Call<unknown>, Pick>();
  // Snapshots are taken outside of calls as well: by the clock of the client that it was last used in.
  let runtime: Runtime | undefined;
  const now = (): number => runtime?.now() ?? 0;
  const hereOf = (call: Call<unknown>, asker: Asker): Here => {
    ({ runtime } = call);
    return { events: call.host.events, runtime: call.runtime, asker, rules };
  };

  async function admitTo(
    candidates: readonly AccountState[],
    call: Call<unknown>,
    here: Here,
    only?: KeyState,
  ): Promise<Lease | Refusal> {
    const since = here.runtime.now();
    for (;;) {
      const found = find(candidates, here, picks.get(call), only);
      if (found.pick !== undefined) {
        picks.set(call, found.pick);
        return take(candidates, call, found.pick, here);
      }
      const waited = here.runtime.now() - since;
      if (found.asking.length === 0 || waited >= PATIENCE_MS || call.aborted)
        return refusalOf(candidates, here.runtime.now());
      const before = here.runtime.now();
      await untilAny(found.asking, call, PATIENCE_MS - waited);
      call.meta.waitedMs = (call.meta.waitedMs ?? 0) + here.runtime.now() - before;
    }
  }

  function take(candidates: readonly AccountState[], call: Call<unknown>, pick: Pick, here: Here): Lease {
    watch(call, pick, here);
    return {
      key: pick.key.key,
      elsewhere: (scope) =>
        candidates.some((account) =>
          account === pick.account
            ? scope === "key" && account.keys.some((key) => key !== pick.key && isUsable(account, key, here))
            : account.keys.some((key) => isUsable(account, key, here)),
        ),
    };
  }

  return {
    idFor(call) {
      const known = picks.get(call);
      if (known !== undefined) return known.account.id;
      const pick = preferred(own);
      if (pick === undefined) return own[0]?.id;
      picks.set(call, pick);
      return pick.account.id;
    },
    admit: (call, asker) => admitTo(own, call, hereOf(call, asker)),
    admitKey(call, asker, key, { place, account: id }) {
      const name = `${place}\n${id === undefined ? `key ${key}` : `account ${id}`}`;
      const account = guests.get(name) ?? createAccountState(id ?? guestId(key), [], rules);
      guests.delete(name);
      guests.set(name, account);
      const [oldest] = guests.keys();
      if (guests.size > MAX_GUESTS && oldest !== undefined) guests.delete(oldest);
      let state = account.keys.find((known) => known.key === key);
      if (state === undefined) {
        state = createKeyState(key, rules);
        if (account.keys.push(state) > MAX_KEYS) account.keys.shift();
      }
      return admitTo([account], call, hereOf(call, asker), state);
    },
    idOfKey: (key, { account }) => account ?? guestId(key),
    anyKey() {
      const account = own.find(({ gate, keys }) => gate.open && keys.some((key) => key.gate.open)) ?? own[0];
      return (account?.keys.find(({ gate }) => gate.open) ?? account?.keys[0])?.key;
    },
    snapshot: () => [...own, ...guests.values()].map((account) => snapshotOf(account, now())),
    reset(id) {
      const meant = [...own, ...guests.values()].filter((account) => id === undefined || account.id === id);
      for (const account of meant) resetAccount(account);
      return meant.length > 0;
    },
  };
}

function guestId(key: string): string {
  return `key-${tailOf(key)}`;
}

/** Rather than refuse what may be right in a moment. Not for long: around it there may be a fallback that would answer. */
const PATIENCE_MS = 1_000;

/** Until one of the answers is there, or nobody waits any more. */
async function untilAny(asking: readonly Promise<void>[], call: Call<unknown>, ms: number): Promise<void> {
  let cancel = (): void => {};
  let forget = (): void => {};
  const enough = new Promise<void>((resolve) => {
    cancel = call.runtime.setTimer(ms, resolve);
    forget = call.onAbort(() => resolve());
  });
  await Promise.race([...asking, enough]);
  cancel();
  forget();
}

/** Where nobody knows better, as long as a completion that tries may take to begin. */
const SHORTEST_MS = 1_000;

function refusalOf(candidates: readonly AccountState[], now: number): Refusal {
  const retryAfterMs = Math.max(
    SHORTEST_MS,
    Math.min(...candidates.map((account) => readyInMs(account, now))),
  );
  const code = candidates.some(({ gate }) => !gate.open) ? "QUOTA_EXHAUSTED" : "KEYS_DISABLED";
  return { by: "accounts", code, retryAfterMs };
}
