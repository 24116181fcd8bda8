import { show } from "./duration.ts";
import type { MaybePromise } from "./handler.ts";
import type { OptionReader } from "./options.ts";

/**
 * Where a decision came from: the shared store; this process by its own share while the store was away (`local`);
 * nobody, and it was admitted (`open`) or failed (`closed`) for that.
 */
export type StoreSource = "store" | "local" | "open" | "closed";

/**
 * What a guard does while its shared store cannot decide: go by this process's share of the limit, let everything
 * through, or fail calls with a `StoreError`.
 */
export type OutageMode = "local" | "open" | "closed";

/** Two processes give one policy different numbers: these, and those that hold. */
export interface ConfigMismatch {
  readonly ours: Readonly<Record<string, unknown>>;
  readonly holds: Readonly<Record<string, unknown>>;
}

/** What every ask says beside its own. */
export interface StoreAsk {
  /** @default "local" */
  readonly outage?: OutageMode | undefined;
  /** How often the policy was `update()`d; absent when its numbers are said anew for each call, and so cannot be compared. */
  readonly version?: number | undefined;
}

/** What a reply of a shared store says beside its own. */
export interface StoreReply {
  readonly source?: StoreSource;
  /** Told once after each change. */
  readonly mismatch?: ConfigMismatch;
}

/**
 * Where a guard's state lives. The memory stores answer at once; one over the network answers later. Asks and
 * replies are plain data whose shape each capability defines (`RateLimitAsk`, `PermitAsk`, …).
 */
export interface DecisionStore<Ask, Reply> {
  /** Other processes decide by the same state. Then policies need a name, by which they find it. */
  readonly shared?: true;
  decide(ask: Ask): MaybePromise<Reply>;
  /**
   * Decides several asks together, all or nothing: what one refuses consumes nothing in the others. With it, strictly
   * adjacent guards on the same store object cost one round trip.
   */
  decideAll?(asks: readonly Ask[]): MaybePromise<readonly Reply[]>;
}

// oxlint-disable-next-line typescript/no-explicit-any -- the group does not look into asks and replies; each guard does
export type AnyStore = DecisionStore<any, any>;

/** @internal The options `store` and `outage` of a policy. */
export interface StoreOptions<S> {
  readonly store: S | undefined;
  readonly outage: OutageMode | undefined;
}

/**
 * @internal
 * @param does the method by which a store of this capability is known
 */
export function readStore<S extends { readonly shared?: true }>(
  reader: OptionReader,
  given: { readonly name?: string; readonly outage?: OutageMode },
  does: keyof S & string,
): StoreOptions<S> {
  const store = reader.raw<S>("store");
  checkStore(reader, store, does, "one that decides, such as redisStore(url)");
  if (store?.shared === true && given.name === undefined) {
    reader.fail(
      'name is required with a shared store: processes find the same limit by it, for example { name: "deepseek" }.',
    );
  }
  if (store === undefined && given.outage !== undefined)
    reader.fail("outage says what to do while a shared store is away, and there is no store; leave it out.");
  const outage =
    store?.shared === true || given.outage !== undefined
      ? reader.oneOf<OutageMode>("outage", ["local", "open", "closed"], "local")
      : reader.raw<OutageMode>("outage");
  return { store, outage };
}

/** @internal Else an address, or a client that is no store, would fail with the first call. */
export function checkStore(reader: OptionReader, store: unknown, does: string, what: string): void {
  if (store === undefined) return;
  const method: unknown = (store as Readonly<Record<string, unknown>> | null)?.[does];
  if (typeof method === "function") return;
  // Of a text nothing is told: there may be a password in it.
  const got = typeof store === "string" ? "a string" : show(store);
  reader.fail(`store must be ${what}, got ${got}. Leave it out for one in this process.`);
}
