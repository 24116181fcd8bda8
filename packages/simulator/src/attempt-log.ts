import { toUsd } from "./money.ts";
import type { Tier } from "./prices.ts";

/** How an attempt ended. `faulted`: a fault took the whole and correct answer away; `rejected`: it got an error status. */
export type AttemptOutcome = "completed" | "faulted" | "client_closed" | "queue_timeout" | "rejected";

/** What the simulator remembers of one request. Times are simulated milliseconds since the start. */
export interface Attempt {
  /** Order of ending, from 1. */
  readonly seq: number;
  /** What its chance depends on: `x-sim-id`, else `user_id`, else a hash of the body. */
  readonly scope: string;
  /** The machine that it came to. */
  readonly replica: string;
  readonly account: string;
  /** Last four characters of the key. */
  readonly keyTail: string;
  readonly path: string;
  readonly model: string;
  readonly stream: boolean;
  /** `x-breakwater-call-id`, which groups the attempts of one call. */
  readonly callId?: string;
  /** All headers that begin with `x-breakwater-`, if there were any. */
  readonly breakwaterHeaders?: Readonly<Record<string, string>>;
  /** `x-stainless-retry-count`: the official SDKs count their retries there. */
  readonly retryCount?: string;
  readonly bodySha256: string;
  readonly promptTokens: number;
  readonly tReceived: number;
  readonly tQueued?: number;
  /** The slot was given. */
  readonly tStarted?: number;
  readonly tFirstToken?: number;
  readonly tEnded: number;
  readonly keepAlives: number;
  /** Tokens computed, and billed; at an abort a few more than were written. */
  readonly tokensGenerated: number;
  readonly tokensWritten: number;
  /** Bytes of the body. */
  readonly bytes: number;
  readonly status: number;
  /** The fault that applied, with its parameters as drawn. */
  readonly fault?: string;
  readonly outcome: AttemptOutcome;
  readonly finish?: string;
  /** Tokens of the prompt that were in the context cache, and billed as such. */
  readonly cacheHitTokens: number;
  readonly billedUsd: number;
  /** The same in billionths of a dollar, a whole number. */
  readonly billedNanoUsd: string;
  /** The price that held. */
  readonly tier: Tier;
}

/** Sums over all attempts that have ended, also those that the log has forgotten. */
export interface AttemptTotals {
  readonly attempts: number;
  readonly outcomes: Readonly<Record<AttemptOutcome, number>>;
  readonly tokensGenerated: number;
  /** Tokens that were computed for attempts that did not complete. */
  readonly tokensWasted: number;
  readonly billedUsd: number;
  /** The same in billionths of a dollar, a whole number. */
  readonly billedNanoUsd: string;
}

/** A bounded log: the oldest attempts fall out. Attempts enter when they end. */
export interface AttemptLog {
  add(attempt: Omit<Attempt, "seq">): void;
  /** In the order they ended; `since` leaves out this `seq` and the ones before it. */
  read(filter?: { since?: number; scope?: string }): readonly Attempt[];
  totals(): AttemptTotals;
  clear(): void;
}

/** @param onEnd called with each attempt that enters. */
export function createAttemptLog(limit: number, onEnd: (attempt: Attempt) => void = () => {}): AttemptLog {
  let ring: Attempt[] = [];
  let next = 0;
  let seq = 0;
  let totals = emptyTotals();
  let billed = 0n;

  return {
    add(ended) {
      const attempt: Attempt = { seq: ++seq, ...ended };
      if (ring.length < limit) ring.push(attempt);
      else ring[next] = attempt;
      next = (next + 1) % limit;
      totals.attempts += 1;
      totals.outcomes[attempt.outcome] += 1;
      totals.tokensGenerated += attempt.tokensGenerated;
      if (attempt.outcome !== "completed") totals.tokensWasted += attempt.tokensGenerated;
      billed += BigInt(attempt.billedNanoUsd);
      onEnd(attempt);
    },
    read({ since = 0, scope } = {}) {
      const ordered = ring.length < limit ? ring : [...ring.slice(next), ...ring.slice(0, next)];
      return ordered.filter(
        (attempt) => attempt.seq > since && (scope === undefined || attempt.scope === scope),
      );
    },
    totals: () => ({
      ...totals,
      outcomes: { ...totals.outcomes },
      billedUsd: toUsd(billed),
      billedNanoUsd: String(billed),
    }),
    clear() {
      ring = [];
      next = 0;
      seq = 0;
      totals = emptyTotals();
      billed = 0n;
    },
  };
}

function emptyTotals() {
  return {
    attempts: 0,
    outcomes: { completed: 0, faulted: 0, client_closed: 0, queue_timeout: 0, rejected: 0 },
    tokensGenerated: 0,
    tokensWasted: 0,
  } satisfies Omit<AttemptTotals, "billedUsd" | "billedNanoUsd">;
}
