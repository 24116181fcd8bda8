import { ConfigError, type Duration, readOptions } from "@breakwater/core";

/** Keys that share one balance and one concurrency limit. */
export interface AccountOptions {
  /** What events, refusals and snapshots call it. */
  readonly id: string;
  /** Used in turn. */
  readonly keys: readonly string[];
}

export interface AccountsOptions {
  /** In the order in which they are preferred: the next one is asked only while those before it are closed. */
  readonly accounts: readonly AccountOptions[];
  /** An account is open again when its balance is above this, in its own currency. @default 0 */
  readonly minBalance?: number;
  /** How long an empty account is left alone before it is asked about again; doubled each time. @default "60s" */
  readonly closedFor?: Duration;
  /** @default "30m" */
  readonly maxClosedFor?: Duration;
  /** How long a refused key is left alone at most; begins with 5 s and doubles. @default "15m" */
  readonly maxDisabledFor?: Duration;
}

/** How patient accounts are. */
export interface AccountRules {
  readonly minBalance: number;
  readonly closedForMs: number;
  readonly maxClosedForMs: number;
  readonly maxDisabledForMs: number;
}

export interface AccountsConfig {
  readonly accounts: readonly AccountOptions[];
  readonly rules: AccountRules;
}

export const DEFAULT_RULES: AccountRules = {
  minBalance: 0,
  closedForMs: 60_000,
  maxClosedForMs: 1_800_000,
  maxDisabledForMs: 900_000,
};

export function readAccountsOptions(where: string, options: AccountsOptions): AccountsConfig {
  const reader = readOptions(where, options);
  const accounts = checkAccounts(where, reader.raw("accounts"));
  const rules = {
    minBalance: reader.number("minBalance", DEFAULT_RULES.minBalance, { min: 0 }),
    closedForMs: reader.duration("closedFor", DEFAULT_RULES.closedForMs),
    maxClosedForMs: reader.duration("maxClosedFor", DEFAULT_RULES.maxClosedForMs),
    maxDisabledForMs: reader.duration("maxDisabledFor", DEFAULT_RULES.maxDisabledForMs),
  };
  reader.done();
  for (const name of ["closedForMs", "maxDisabledForMs"] as const) {
    if (rules[name] < 1_000)
      reader.fail(`${name.slice(0, -2)} must be at least 1 s: each time a host is asked; write "60s".`);
  }
  if (rules.maxClosedForMs < rules.closedForMs)
    reader.fail("maxClosedFor must not be shorter than closedFor.");
  return { accounts, rules };
}

/** Never shows a key, not even in part: whoever mistyped one may have pasted another secret. */
export function checkAccounts(where: string, given: unknown): readonly AccountOptions[] {
  if (!Array.isArray(given) || given.length === 0) {
    throw new ConfigError(
      `${where}: accounts must be a list with one account or more, for example [{ id: "main", keys: ["…"] }].`,
    );
  }
  const ids = new Set<string>();
  const known = new Set<string>();
  return given.map((account: unknown, index) => {
    const at = `${where}: accounts[${index}]`;
    const reader = readOptions(at, account);
    const id = reader.text("id", "");
    if (!/^[\x21-\x7e]{1,64}$/.test(id)) {
      reader.fail('id must be a name of at most 64 characters without spaces, for example "main".');
    }
    if (/^sk-[\w-]{8,}$/.test(id))
      reader.fail("id looks like a key; write a name, since it is shown in events and snapshots.");
    if (ids.has(id)) reader.fail(`id "${id}" is there twice; accounts need names of their own.`);
    ids.add(id);
    const keys = checkKeys(`${at}.keys`, reader.raw("keys"));
    for (const key of keys) {
      if (known.has(key)) reader.fail("one of its keys is there twice; a key belongs to one account.");
      known.add(key);
    }
    reader.done();
    return { id, keys };
  });
}

/** Of one account. */
export function checkKeys(where: string, given: unknown): readonly string[] {
  if (!Array.isArray(given) || given.length === 0)
    throw new ConfigError(`${where} must be a list with one key or more.`);
  const keys = given.map((key: unknown) => checkKey(where, key));
  if (new Set(keys).size < keys.length) throw new ConfigError(`${where}: the same key is there twice.`);
  return keys;
}

export function checkKey(where: string, key: unknown): string {
  if (typeof key === "string" && /^[\x21-\x7e]+$/.test(key)) return key;
  throw new ConfigError(
    `${where} must be a string without spaces and line breaks, or a function that gives one (a key from a file may end in a line break).`,
  );
}
