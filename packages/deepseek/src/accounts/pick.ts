import {
  type AccountState,
  askIfDue,
  askOfKeyIfDue,
  type Here,
  isUsable,
  type KeyState,
  pollIfLow,
} from "./account.ts";

/** Where a call goes. */
export interface Pick {
  readonly account: AccountState;
  readonly key: KeyState;
}

interface Found {
  readonly pick?: Pick;
  /** Answers on their way that may change it. */
  readonly asking: readonly Promise<void>[];
}

/** The first account that is open, without asking anybody anything. */
export function preferred(accounts: readonly AccountState[]): Pick | undefined {
  for (const account of accounts) {
    if (!account.gate.open) continue;
    const key = nextKey(account, ({ gate }) => gate.open);
    if (key !== undefined) return { account, key };
  }
  return undefined;
}

/**
 * The first account that takes a call now. Those before it are asked about if it is time: only calls that would
 * rather go there ask, so that a process in which nobody calls sends nothing.
 *
 * @param noted what was said of this call earlier, and holds unless it was closed since
 * @param only the key that the call brought along
 */
export function find(
  accounts: readonly AccountState[],
  here: Here,
  noted: Pick | undefined,
  only: KeyState | undefined,
): Found {
  const kept = noted !== undefined && isUsable(noted.account, noted.key, here) ? noted : undefined;
  const asking: Promise<void>[] = [];
  for (const account of accounts) {
    askAbout(account, here, only, asking);
    if (kept !== undefined && kept.account !== account) continue;
    const fits = (key: KeyState): boolean =>
      (only === undefined || key === only) && isUsable(account, key, here);
    const key = kept?.key ?? nextKey(account, fits);
    if (key !== undefined) return { pick: { account, key }, asking };
  }
  return { asking };
}

function askAbout(
  account: AccountState,
  here: Here,
  only: KeyState | undefined,
  asking: Promise<void>[],
): void {
  if (!account.gate.open) {
    askIfDue(account, here);
    if (account.asking !== undefined) asking.push(account.asking);
    return;
  }
  pollIfLow(account, here);
  for (const key of only === undefined ? account.keys : [only]) {
    if (key.gate.open) continue;
    askOfKeyIfDue(account, key, here);
    if (key.asking !== undefined) asking.push(key.asking);
  }
}

/** In turn, so that the keys of an account are used alike. */
function nextKey(account: AccountState, fits: (key: KeyState) => boolean): KeyState | undefined {
  const { keys } = account;
  for (let i = 0; i < keys.length; i++) {
    const at = (account.turn + i) % keys.length;
    const key = keys[at];
    if (key === undefined || !fits(key)) continue;
    account.turn = at + 1;
    return key;
  }
  return undefined;
}
