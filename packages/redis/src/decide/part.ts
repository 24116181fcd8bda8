import type { MaybePromise, Runtime } from "@breakwater/core";

import type { Link } from "../connection/link.ts";
import type { Scope } from "../keys.ts";
import type { Agreement } from "../presence/agreement.ts";
import type { Presence } from "../presence/presence.ts";
import type { Outbox } from "./outbox.ts";

/** What the parts of a store share. */
export interface Context {
  readonly link: Link;
  readonly runtime: Runtime;
  readonly scope: Scope;
  readonly presence: Presence;
  /** What numbers hold when processes differ: `agreement.on(rateTerms, ask.name, ask.limits, ask.version)`. */
  readonly agreement: Agreement;
  readonly outbox: Outbox;
  /** How long a permit is kept for a process that is not heard of any more. */
  readonly leaseMs: number;
}

/**
 * One kind of ask, and how Redis decides it. The script of a group is put together of the fragments of its members, so
 * nothing is dispatched on the server; a member says what it needs with `begin`.
 */
export interface Part<Ask, Reply> {
  /** The Lua of one ask. The same shape always makes the same Lua, and there are few shapes. */
  fragment(shape: string, at: Place): Fragment;
  /** How many keys, arguments and values of the reply an ask of this shape has. */
  size(shape: string): Size;
  /** @param alone whether nothing else is decided together with it */
  begin(ask: Ask, alone: boolean): MaybePromise<Pending<Reply>>;
  /** Decides by itself, with this process's share: Redis cannot. */
  local(ask: Ask): Reply;
  /** Takes back what `local` has just granted: somebody else in the group refused. */
  undo(ask: Ask, reply: Reply): void;
  /** What is told to Redis when a call has ended, by the name that `Outbox.push` is given. */
  readonly operations: Readonly<Record<string, OperationLua>>;
}

/** Where the keys and arguments of an ask begin (`KEYS[key]`, `ARGV[arg]`), and a suffix for the names of its locals. */
export interface Place {
  readonly key: number;
  readonly arg: number;
  readonly id: number;
}

/**
 * Pieces of one Lua chunk. There are the locals `now` (µs of the server, read once), `learn` (µs until which a key that
 * is missing may have been lost: it counts as used up, not as new) and `ok`. `check` of all members runs first, may set
 * `ok = false`, and writes nothing that takes: it may only bring a state into a form that means the same; `take` of all runs only while `ok`. `reply` is a list of Lua expressions, separated
 * by commas, each a whole number (or a string), as many as `Size.values`; it runs last, in both cases. Declare locals in
 * `check`, with the suffix: `local tat3 = …`; at most 12 of them.
 */
export interface Fragment {
  readonly check: string;
  readonly take: string;
  readonly reply: string;
}

export interface Size {
  readonly keys: number;
  readonly args: number;
  readonly values: number;
}

/** An ask on its way. */
export interface Pending<Reply> {
  readonly shape: string;
  /** Decided in this process already: Redis is not asked about it. */
  readonly known?: { readonly reply: Reply; readonly refuses: boolean };
  /** Appends exactly as many keys and arguments as the shape has. */
  write(keys: string[], args: (string | number)[]): void;
  /** What Redis said: its values begin at `values[at]`. `taken`: the whole group was admitted, and so it was taken. */
  read(values: readonly unknown[], at: number, taken: boolean): Reply;
  /** The group was refused before Redis was asked. As `read` with a refusal by somebody else. */
  idle(): Reply;
  /** Nobody knows whether Redis took it: gives back what can be given back. */
  lost(): void;
}

/**
 * Lua of an operation. `KEYS[k + 1]` is its first key and `ARGV[i + 1]` its first argument; there are the locals `now`
 * and `learn`. What it has to say goes into `r` (0 unless it is set).
 */
export interface OperationLua {
  readonly keys: number;
  readonly args: number;
  readonly lua: string;
}
