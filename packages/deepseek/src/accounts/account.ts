import type { Host } from "@breakwater/core";

import { createGate, type Gate, type Ticket, type Verdict } from "./gate.ts";
import { createHearers, type Hearers } from "./hearers.ts";
import type { AccountRules } from "./options.ts";
import type { Asker, Reply } from "./probe.ts";

/** A key, and whether the host still takes it. */
export interface KeyState {
  readonly key: string;
  /** What may be shown of it. */
  readonly tail: string;
  readonly gate: Gate;
  readonly hearers: Hearers;
  /** The probe under way. Never rejects. */
  asking?: Promise<void> | undefined;
  /** Whether this host turned out to have no place to ask. */
  deaf?: boolean;
}

/** What keys have in common: the balance. */
export interface AccountState {
  readonly id: string;
  readonly gate: Gate;
  readonly hearers: Hearers;
  readonly keys: KeyState[];
  /** Whose turn it is. */
  turn: number;
  lowUntil: number;
  /** When that was last told. */
  lowToldAt: number;
  /** When its balance was last asked for. */
  askedAt: number;
  balance?: { readonly total: Readonly<Record<string, number>>; readonly at: number };
  asking?: Promise<void> | undefined;
  deaf?: boolean;
}

/** The last four characters, of a key that has enough others. */
export function tailOf(key: string): string {
  return key.length < 8 ? "****" : key.slice(-4);
}

export function createAccountState(id: string, keys: readonly string[], rules: AccountRules): AccountState {
  return {
    id,
    gate: createGate({ waitMs: rules.closedForMs, maxWaitMs: rules.maxClosedForMs }),
    hearers: createHearers(),
    keys: keys.map((key) => createKeyState(key, rules)),
    turn: 0,
    lowUntil: -Infinity,
    lowToldAt: -Infinity,
    askedAt: -Infinity,
  };
}

export function createKeyState(key: string, rules: AccountRules): KeyState {
  const waitMs = Math.min(KEY_WAIT_MS, rules.maxDisabledForMs);
  const gate = createGate({ waitMs, maxWaitMs: rules.maxDisabledForMs });
  return { key, tail: tailOf(key), gate, hearers: createHearers() };
}

/** Grows to 15 minutes: a key that was revoked stays so, but an authentication that fails for half a minute does not. */
const KEY_WAIT_MS = 5_000;
/** Between two questions for a balance that is merely low. */
const LOW_POLL_MS = 60_000;
/** Unless the host says it again, which it does with every refusal. */
const LOW_FOR_MS = 600_000;

/** Who is told of a change, what time it is and who can be asked: all of the client whose call it was. */
export interface Here extends Pick<Host, "events" | "runtime"> {
  readonly asker: Asker;
  readonly rules: AccountRules;
}

/** The way to ask for its balance, unless it led nowhere. */
function balanceOf(account: AccountState, { asker }: Here): Asker["balance"] {
  return account.deaf === true ? undefined : asker.balance;
}

export function isLow(account: AccountState, now: number): boolean {
  return now < account.lowUntil;
}

/** Closes it, unless what was refused had been sent before it last opened. The first question follows at once. */
export function closeAccount(account: AccountState, epoch: number, here: Here): void {
  const now = here.runtime.now();
  if (!account.gate.close(now, epoch)) return;
  account.lowUntil = -Infinity;
  tellClosed(account, now, here);
  askIfDue(account, here);
}

export function disableKey(account: AccountState, key: KeyState, epoch: number, here: Here): void {
  const now = here.runtime.now();
  if (!key.gate.close(now, epoch)) return;
  const retryAfterMs = key.gate.dueInMs(now);
  key.hearers.tell({ type: "key-disable", account: account.id, key: key.tail, retryAfterMs }, here.events);
  askOfKeyIfDue(account, key, here);
}

export function settleAccount(account: AccountState, ticket: Ticket, verdict: Verdict, here: Here): void {
  if (account.gate.settle(ticket, verdict, here.runtime.now()))
    account.hearers.end({ type: "account-open", account: account.id }, here.events);
}

export function settleKey(
  account: AccountState,
  key: KeyState,
  ticket: Ticket,
  verdict: Verdict,
  here: Here,
): void {
  if (key.gate.settle(ticket, verdict, here.runtime.now()))
    key.hearers.end({ type: "key-enable", account: account.id, key: key.tail }, here.events);
}

/** By hand, as if nothing had been. */
export function resetAccount(account: AccountState): void {
  const { gate, hearers, id, keys } = account;
  gate.reset();
  account.lowUntil = account.lowToldAt = -Infinity;
  hearers.end({ type: "account-open", account: id });
  for (const key of keys) {
    key.gate.reset();
    key.hearers.end({ type: "key-enable", account: id, key: key.tail });
  }
}

function tellClosed(account: AccountState, now: number, { events }: Here): void {
  const { gate, hearers, id } = account;
  hearers.tell({ type: "account-close", account: id, retryAfterMs: gate.dueInMs(now) }, events);
}

/** The host says that it cuts the account's concurrency because of its balance: a 402 is near. */
export function markLow(account: AccountState, here: Here): void {
  // Sent before it was closed: that is worse, and known.
  if (!account.gate.open) return;
  const now = here.runtime.now();
  account.lowUntil = now + LOW_FOR_MS;
  if (now - account.lowToldAt >= LOW_POLL_MS) {
    account.lowToldAt = now;
    account.hearers.tell({ type: "account-low", account: account.id, forMs: LOW_FOR_MS }, here.events);
  }
  pollIfLow(account, here);
}

/** Asks for the balance of a closed account, if it is time. Tells through `asking` when the answer is there. */
export function askIfDue(account: AccountState, here: Here): void {
  const ask = balanceOf(account, here);
  if (ask === undefined || account.asking !== undefined) return;
  const ticket = account.gate.probe(here.runtime.now());
  if (ticket === undefined) return;
  account.asking = question(account, ask, here).then((reply) => {
    account.asking = undefined;
    if (reply.nowhere === true) account.deaf = true;
    // Where nobody can tell, the next call shall try, and not after a pause.
    if (reply.nowhere === true) account.gate.release(ticket);
    else settleAccount(account, ticket, reply.verdict, here);
  });
}

/** Looks at a balance that is low, once a minute: a top-up ends that, and an end of it comes without a call being refused. */
export function pollIfLow(account: AccountState, here: Here): void {
  const ask = balanceOf(account, here);
  const now = here.runtime.now();
  if (ask === undefined || account.asking !== undefined || !account.gate.open || !isLow(account, now)) return;
  if (now - account.askedAt < LOW_POLL_MS) return;
  const { epoch } = account.gate;
  const before = account.balance?.total;
  account.asking = question(account, ask, here).then((reply) => {
    account.asking = undefined;
    if (reply.nowhere === true) account.deaf = true;
    if (before !== undefined && hasRisen(before, reply.balance)) {
      account.lowUntil = account.lowToldAt = -Infinity;
      account.hearers.end({ type: "account-open", account: account.id }, here.events);
    }
    if (reply.verdict !== "bad") return;
    const then = here.runtime.now();
    if (!account.gate.close(then, epoch)) return;
    // This was the question; the next one has time.
    const ticket = account.gate.probe(then);
    if (ticket !== undefined) account.gate.settle(ticket, "bad", then);
    tellClosed(account, then, here);
  });
}

async function question(
  account: AccountState,
  ask: NonNullable<Asker["balance"]>,
  here: Here,
): Promise<Reply> {
  account.askedAt = here.runtime.now();
  const key = account.keys.find(({ gate }) => gate.open) ?? account.keys[0];
  if (key === undefined) return { verdict: "unclear" };
  const { epoch } = key.gate;
  const reply = await ask(key.key, here.rules.minBalance, here.runtime);
  if (reply.unknownKey === true) disableKey(account, key, epoch, here);
  if (reply.balance !== undefined) account.balance = { total: reply.balance, at: here.runtime.now() };
  return reply;
}

function hasRisen(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>> = {},
): boolean {
  return Object.entries(after).some(([currency, amount]) => amount > (before[currency] ?? 0));
}

/** Asks the host whether it takes a disabled key again, if it is time. */
export function askOfKeyIfDue(account: AccountState, key: KeyState, here: Here): void {
  if (key.deaf === true || key.asking !== undefined) return;
  const ticket = key.gate.probe(here.runtime.now());
  if (ticket === undefined) return;
  key.asking = here.asker.key(key.key, here.runtime).then((reply) => {
    key.asking = undefined;
    if (reply.nowhere === true) {
      key.deaf = true;
      key.gate.release(ticket);
    } else settleKey(account, key, ticket, reply.verdict, here);
  });
}

/** Whether a call may go there now: at once, or as the one that tries. */
export function isUsable(account: AccountState, key: KeyState, here: Here): boolean {
  return (
    mayEnter(account.gate, balanceOf(account, here) === undefined, here) &&
    mayEnter(key.gate, key.deaf === true, here)
  );
}

function mayEnter(gate: Gate, trial: boolean, { runtime }: Here): boolean {
  return gate.open || (trial && !gate.probing && gate.dueInMs(runtime.now()) === 0);
}

/** How long until a call could go there; 0 when one could. */
export function readyInMs(account: AccountState, now: number): number {
  if (!account.gate.open) return account.gate.dueInMs(now);
  return Math.min(...account.keys.map(({ gate }) => gate.dueInMs(now)));
}
