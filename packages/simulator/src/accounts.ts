import { checkFields, checkNumber, checkText, refuse } from "./checks.ts";
import { toNanoUsd, toUsd } from "./money.ts";

/** An account: several keys share its balance and its concurrency. */
export interface AccountOptions {
  /** @default `account-1`, `account-2` … */
  id?: string;
  /** Bearer keys. @default `sk-sim-1` for the first account, `sk-sim-2` for the second … */
  keys?: readonly string[];
  /** US dollars; at 0 or below every completion answers 402. @default 1000 */
  balanceUsd?: number;
  /** The part of the balance that was given away and not paid for. It is spent first. @default 0 */
  grantedUsd?: number;
  /** Requests in flight per model, or one number for each model. @default 2500 (500 for deepseek-v4-pro) */
  concurrency?: number | Readonly<Record<string, number>>;
  /**
   * Makes the limit shrink with the balance, as accounts report it: `max(minLimit, floor(balanceUsd * perUsd))`, never
   * above `concurrency`. The 429 then says "based on your remaining balance". Off when not given.
   */
  balanceScaling?: { perUsd: number; minLimit: number };
  /** Requests in flight per `user_id`, as accounts with a raised quota have it. Off when not given. */
  userConcurrency?: number;
}

/** What can be changed of an account while it lives. */
export type AccountChange = Pick<
  AccountOptions,
  "balanceUsd" | "grantedUsd" | "concurrency" | "balanceScaling" | "userConcurrency"
>;

/** The limits of an account that a scenario may have a say on. */
export type AccountLimits = Pick<AccountOptions, "concurrency" | "balanceScaling">;

/** How an account stands. */
export interface AccountState {
  readonly id: string;
  readonly balanceUsd: number;
  /** The same to the billionth, as a whole number. */
  readonly balanceNanoUsd: string;
  /** The part of it that was granted. */
  readonly grantedUsd: number;
  /** Requests in flight now, per model that was ever asked for. */
  readonly inFlight: Readonly<Record<string, number>>;
  readonly maxInFlight: Readonly<Record<string, number>>;
  /** The limit in force now, per model that was ever asked for. */
  readonly limit: Readonly<Record<string, number>>;
}

export interface Account {
  readonly id: string;
  readonly keys: readonly string[];
  readonly balanceUsd: number;
  /** What is left, in billionths of a dollar; the granted part is never below zero, the other may be. */
  balance(): { granted: bigint; toppedUp: bigint };
  inFlight(model: string): number;
  limit(model: string): { limit: number; byBalance: boolean };
  inFlightOf(userId: string): number;
  /** Of every `user_id`; `Infinity` when nothing is said. */
  readonly userLimit: number;
  /** Counts a request of the model, and of the user, in; the function counts it out, once. */
  begin(model: string, userId: string | undefined): () => void;
  charge(nanoUsd: bigint): void;
  change(change: AccountChange): void;
  state(): AccountState;
}

const atLeastZero = (amount: bigint): bigint => (amount > 0n ? amount : 0n);
const defaultConcurrency: Readonly<Record<string, number>> = { "deepseek-v4-pro": 500 };
const otherwise = 2500;

/** @param override The scenario's say, which beats the account's own. */
export function createAccount(
  options: AccountOptions & { id: string; keys: readonly string[] },
  override: () => AccountLimits,
): Account {
  const counts = new Map<string, { now: number; max: number }>();
  // Only those who wait for something: it holds no more than the requests in flight.
  const users = new Map<string, number>();
  let balance = toNanoUsd(options.balanceUsd ?? 1000);
  let granted = grantOf(options.grantedUsd);
  let { concurrency, balanceScaling, userConcurrency } = options;

  function grantOf(usd = 0): bigint {
    const nano = toNanoUsd(usd);
    return nano < balance ? nano : atLeastZero(balance);
  }

  function configured(model: string): number {
    for (const source of [override().concurrency, concurrency, defaultConcurrency]) {
      const found = typeof source === "number" ? source : source?.[model];
      if (found !== undefined) return found;
    }
    return otherwise;
  }

  function limit(model: string): { limit: number; byBalance: boolean } {
    const full = configured(model);
    const scaling = override().balanceScaling ?? balanceScaling;
    if (scaling === undefined) return { limit: full, byBalance: false };
    const scaled = Math.max(scaling.minLimit, Math.floor(toUsd(balance) * scaling.perUsd));
    return { limit: Math.min(full, scaled), byBalance: scaled < full };
  }

  const perModel = (
    read: (count: { now: number; max: number }, model: string) => number,
  ): Record<string, number> =>
    Object.fromEntries([...counts].map(([model, count]) => [model, read(count, model)]));

  return {
    id: options.id,
    keys: options.keys,
    get balanceUsd() {
      return toUsd(balance);
    },
    get userLimit() {
      return userConcurrency ?? Infinity;
    },
    balance: () => ({ granted, toppedUp: balance - granted }),
    inFlightOf: (userId) => users.get(userId) ?? 0,
    inFlight: (model) => counts.get(model)?.now ?? 0,
    limit,
    begin(model, userId) {
      const count = counts.get(model) ?? { now: 0, max: 0 };
      counts.set(model, count);
      count.now += 1;
      count.max = Math.max(count.max, count.now);
      if (userId !== undefined) users.set(userId, (users.get(userId) ?? 0) + 1);
      let counted = true;
      return () => {
        if (!counted) return;
        counted = false;
        count.now -= 1;
        if (userId === undefined) return;
        const others = (users.get(userId) ?? 1) - 1;
        if (others > 0) users.set(userId, others);
        else users.delete(userId);
      };
    },
    charge(nanoUsd) {
      balance -= nanoUsd;
      granted = atLeastZero(granted - nanoUsd);
    },
    change(change) {
      if (change.balanceUsd !== undefined) {
        balance = toNanoUsd(change.balanceUsd);
        // What is added was paid for; what is taken away leaves no more granted than there is.
        granted = granted < balance ? granted : atLeastZero(balance);
      }
      if (change.grantedUsd !== undefined) granted = grantOf(change.grantedUsd);
      if (change.userConcurrency !== undefined) userConcurrency = change.userConcurrency;
      if (change.concurrency !== undefined) concurrency = change.concurrency;
      if (change.balanceScaling !== undefined) balanceScaling = change.balanceScaling;
    },
    state: () => ({
      id: options.id,
      balanceUsd: toUsd(balance),
      balanceNanoUsd: String(balance),
      grantedUsd: toUsd(granted),
      inFlight: perModel((count) => count.now),
      maxInFlight: perModel((count) => count.max),
      limit: perModel((_, model) => limit(model).limit),
    }),
  };
}

/** Checks a concurrency: a number, or a number per model. */
export function checkConcurrency(path: string, value: unknown): number | Record<string, number> {
  const rule = { min: 0, integer: true, example: '25, or { "deepseek-flash": 25 }' };
  if (typeof value !== "object") return checkNumber(path, value, rule);
  const models = checkFields(path, value, Object.keys(value ?? {}));
  return Object.fromEntries(
    Object.entries(models).map(([model, n]) => [model, checkNumber(`${path}.${model}`, n, rule)]),
  );
}

const changeable = ["balanceUsd", "grantedUsd", "concurrency", "balanceScaling", "userConcurrency"] as const;

export function checkAccountChange(path: string, value: unknown): AccountChange {
  return checkChange(path, checkFields(path, value, changeable));
}

function checkChange(path: string, given: Record<string, unknown>): AccountChange {
  const change: AccountChange = {};
  if (given["balanceUsd"] !== undefined) {
    change.balanceUsd = checkNumber(`${path}.balanceUsd`, given["balanceUsd"], { example: "10" });
  }
  if (given["grantedUsd"] !== undefined) {
    change.grantedUsd = checkNumber(`${path}.grantedUsd`, given["grantedUsd"], { min: 0, example: "5" });
  }
  if (given["userConcurrency"] !== undefined) {
    change.userConcurrency = checkNumber(`${path}.userConcurrency`, given["userConcurrency"], {
      min: 0,
      integer: true,
      example: "2",
    });
  }
  if (given["concurrency"] !== undefined) {
    change.concurrency = checkConcurrency(`${path}.concurrency`, given["concurrency"]);
  }
  if (given["balanceScaling"] !== undefined) {
    const scaling = checkFields(`${path}.balanceScaling`, given["balanceScaling"], ["perUsd", "minLimit"]);
    change.balanceScaling = {
      perUsd: checkNumber(`${path}.balanceScaling.perUsd`, scaling["perUsd"], { min: 0, example: "20" }),
      minLimit: checkNumber(`${path}.balanceScaling.minLimit`, scaling["minLimit"], {
        min: 0,
        integer: true,
        example: "5",
      }),
    };
  }
  return change;
}

/** Checks the accounts and gives ids and keys to those that have none. */
export function checkAccounts(value: unknown): (AccountOptions & { id: string; keys: readonly string[] })[] {
  if (!Array.isArray(value) || value.length === 0) {
    refuse("accounts", value, "a list with one account or more", '[{ keys: ["sk-sim-1"] }]');
  }
  const seen = new Set<string>();
  return value.map((entry: unknown, index) => {
    const path = `accounts[${index}]`;
    const given = checkFields(path, entry, ["id", "keys", ...changeable]);
    const keys: unknown = given["keys"] ?? [`sk-sim-${index + 1}`];
    if (!Array.isArray(keys) || keys.length === 0)
      refuse(`${path}.keys`, keys, "a list of keys", '["sk-sim-1"]');
    for (const [at, key] of keys.entries()) {
      checkText(`${path}.keys[${at}]`, key, '"sk-sim-1"');
      if (seen.has(key)) refuse(`${path}.keys[${at}]`, key, "a key that no other account has", '"sk-sim-2"');
      seen.add(key);
    }
    const id =
      given["id"] === undefined
        ? `account-${index + 1}`
        : checkText(`${path}.id`, given["id"], '"account-1"');
    return { id, keys, ...checkChange(path, given) };
  });
}
