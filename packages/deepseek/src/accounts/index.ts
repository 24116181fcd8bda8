import { type Call, ConfigError } from "@breakwater/core";

import { type AccountBook, createBook } from "./book.ts";
import { type AccountsOptions, readAccountsOptions } from "./options.ts";
import type { AccountSnapshot } from "./snapshot.ts";

/** Accounts, their keys, and what is known of them. */
export interface Accounts {
  /** How each stands at this moment, in the order of preference; a copy. */
  snapshot(): readonly AccountSnapshot[];
  /**
   * Opens an account and enables its keys, as if nothing had been: after a top-up that need not wait to be found out.
   *
   * @param id all of them, if none is named
   * @throws ConfigError for an account that is not there.
   */
  reset(id?: string): void;
}

const books = new WeakMap<Accounts, AccountBook>();
const faces = new WeakMap<AccountBook, Accounts>();

/**
 * Accounts that several clients share: what one learns of them, all know.
 *
 * A call goes to the first account that is open, with its enabled keys in turn. At a 402 the account is closed, with
 * all of its keys: calls go to the next one, or are refused with `QUOTA_EXHAUSTED` without being sent. It opens again
 * when the host says that there is money: asked at once, and then no more often than `closedFor`, by whichever call
 * comes next. At a 401 or 403 only the key is disabled, until the host takes it again. State is kept in this process.
 *
 * @throws ConfigError
 *
 * @example
 * ```ts
 * import { createAccounts, createDeepSeek } from "@breakwater/deepseek";
 *
 * const accounts = createAccounts({
 *   accounts: [
 *     { id: "main", keys: ["sk-first-key-of-main", "sk-second-key-of-main"] },
 *     { id: "spare", keys: ["sk-only-key-of-spare"] },
 *   ],
 * });
 * const forPeople = createDeepSeek({ accounts });
 * const forNights = createDeepSeek({ accounts });
 * accounts.snapshot().map(({ id, state }) => `${id}: ${state}`); // => ["main: open", "spare: open"]
 * ```
 */
export function createAccounts(options: AccountsOptions): Accounts {
  const { accounts, rules } = readAccountsOptions("createAccounts", options);
  return faceOf(createBook(accounts, rules));
}

/** @internal What users see of a book. */
export function faceOf(book: AccountBook): Accounts {
  const known = faces.get(book);
  if (known !== undefined) return known;
  const face: Accounts = {
    snapshot: () => book.snapshot(),
    reset(id) {
      if (book.reset(id) || id === undefined) return;
      const ids = book.snapshot().map((account) => `"${account.id}"`);
      throw new ConfigError(`accounts: there is no account of that name; known are ${ids.join(", ")}.`);
    },
  };
  books.set(face, book);
  faces.set(book, face);
  return face;
}

/** @internal */
export function bookOf(accounts: Accounts): AccountBook | undefined {
  return books.get(accounts);
}

/** @internal Travels with the upstream's traits, through clients of clients. */
export const ACCOUNT_OF: unique symbol = Symbol.for("breakwater.deepseek.account-of");

/**
 * The account that an attempt goes to, for a limit that is kept per account: `adaptive({ key: (_, call) =>
 * accountOf(call) })`. Asked by a policy inside of `retry`, it is the one that is then really used, unless it is closed
 * while the call waits; each further attempt has its own.
 *
 * @returns `undefined` over another upstream, for a host without keys, and where a function gives the key.
 */
export function accountOf(call: Call<unknown>): string | undefined {
  const traits = call.host.traits as
    | { readonly [ACCOUNT_OF]?: (call: Call<unknown>) => string | undefined }
    | undefined;
  return traits?.[ACCOUNT_OF]?.(call);
}
