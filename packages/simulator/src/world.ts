import type { Account } from "./accounts.ts";
import type { AttemptLog } from "./attempt-log.ts";
import type { Capacity } from "./capacity.ts";
import type { ContextCache } from "./chat/context-cache.ts";
import type { Clock } from "./clock.ts";
import type { CheckedAction } from "./faults/action.ts";
import type { RuleFacts } from "./faults/rules.ts";
import type { Model } from "./models.ts";
import type { PaidTokens, Tier } from "./prices.ts";
import type { Replica } from "./replica.ts";
import type { Rng } from "./rng.ts";
import type { TextSettings } from "./text/answer.ts";
import type { Dialect } from "./wire/dialects.ts";

/** Who asks: an account and the end of its key, or why nobody. */
export type Identity =
  | { account: Account; keyTail: string }
  | { key: "missing" }
  | { key: "invalid"; given: string };

/** What a request costs, and at which price. */
export interface Bill {
  readonly nanoUsd: bigint;
  readonly tier: Tier;
}

/** A request that is not over. */
export interface LiveRequest {
  readonly replica: Replica;
  /** Breaks its connection and leaves no trace. */
  abandon(): void;
  /** Breaks its connection, and the log says so. */
  breakOff(): void;
}

/** Everything that requests share. */
export interface World {
  readonly clock: Clock;
  readonly seed: number;
  readonly models: ReadonlyMap<string, Model>;
  readonly log: AttemptLog;
  readonly text: TextSettings;
  readonly cache: ContextCache;
  /** Requests that are not over. */
  readonly live: Set<LiveRequest>;
  /** The limits in force now. */
  capacity(): Capacity;
  /** What a request that came at this time of the clock and ends now costs. */
  billOf(model: Model, tReceived: number, tokens: PaidTokens): Bill;
  /** The price that holds now. */
  tier(): Tier;
  /** What `created` counts from: not the time of day, because bytes must not depend on when a test runs. */
  readonly createdBase: number;
  /** The host that is played now. */
  dialect(): Dialect;
  /** The replica that is asked for by name, or the one whose turn it is; undefined when it, or every one, is down. */
  route(name: string | undefined): Replica | undefined;
  hasReplica(name: string): boolean;
  identify(authorization: string | undefined): Identity;
  /** How many requests with this scope came before. */
  countOf(scope: string): number;
  /** The fault that the rules hold for a request. */
  faultFor(facts: RuleFacts, rngFor: (purpose: string) => Rng): CheckedAction | undefined;
}

/** The key of an `authorization` header. */
export const bearerOf = (authorization: string | undefined): string | undefined =>
  /^Bearer\s+(\S+)$/i.exec(authorization ?? "")?.[1];
