import { show } from "./duration.ts";
import { ConfigError, StoreError } from "./errors.ts";
import type { MaybePromise } from "./handler.ts";

/** What an instance has said of itself last. */
export interface InstanceReport {
  readonly instance: string;
  readonly report: string;
}

/** What was told to all instances of a service. */
export interface InstanceNews {
  /** Oldest first. */
  readonly messages: readonly string[];
  /** What to ask with the next time. Only the store that gave it knows what it means. */
  readonly cursor: string;
}

/**
 * What the instances of a service (its processes, on one machine or many) know of one another: what each says of itself,
 * and what is told to all. Reports and messages are texts that the store does not look into. Whoever can write to it can
 * tell all of them something.
 *
 * All of it fails in bounded time, with a `StoreError`; a name or a time that is none is a `ConfigError`. What it holds of
 * a service is bounded by `INSTANCE_LIMITS`.
 */
export interface InstanceStore {
  /** Other processes put and tell there too. */
  readonly shared?: true;
  /**
   * Keeps what an instance says of itself in the place of what it said before, for `ttlMs`: an instance that ends without
   * a word is gone by itself. Fails where the service has as many instances as it may have, and this is another.
   */
  put(service: string, instance: string, report: string, ttlMs: number): MaybePromise<void>;
  /** The instance is gone. Harmless when it was not there. */
  remove(service: string, instance: string): MaybePromise<void>;
  /** The last reports that have not run out, ordered by instance (by code units). */
  all(service: string): MaybePromise<readonly InstanceReport[]>;
  /** Tells all instances something. It can be heard for `ttlMs`, unless so many are told after it that it is pushed out. */
  tell(service: string, message: string, ttlMs: number): MaybePromise<void>;
  /**
   * What was told since then and has not run out; each message once.
   *
   * @param after the cursor of the last reply. `undefined`, or one that this store does not know: from now on; a process
   * that starts hears nothing of what was told before it
   */
  told(service: string, after: string | undefined): MaybePromise<InstanceNews>;
}

/** What an `InstanceStore` holds at most. Lengths are in UTF-16 code units, as `length` counts them. */
export const INSTANCE_LIMITS = {
  /** Services in one store. */
  services: 100,
  /** Instances of a service. */
  instances: 200,
  /** Messages of a service; the last ones are kept. */
  messages: 100,
  /** Of a report: 256 Ki. */
  reportLength: 262_144,
  /** Of a message: 128 Ki. */
  messageLength: 131_072,
  /** Of the name of a service or an instance. */
  nameLength: 200,
  /** A day, in ms. */
  ttlMs: 86_400_000,
} as const;

/** What one method of an `InstanceStore` is asked, as far as it has it. */
export interface InstanceAsk {
  readonly service: string;
  readonly instance?: string;
  readonly report?: string;
  readonly message?: string;
  readonly ttlMs?: number;
}

/**
 * For writers of stores: what is asked is within `INSTANCE_LIMITS`.
 *
 * @throws ConfigError for a name or a time that is none, StoreError (not retryable) for a text that is too long
 *
 * @example
 * ```ts
 * import { checkInstanceAsk } from "@breakwater/core";
 *
 * checkInstanceAsk({ service: "chat", instance: "host-1", report: "{}", ttlMs: 10_000 }); // => undefined
 * ```
 */
export function checkInstanceAsk(ask: InstanceAsk): void {
  for (const name of ["service", "instance"] as const) {
    const given: unknown = ask[name];
    if (!(name in ask) || (typeof given === "string" && given !== "" && given.length <= LIMITS.nameLength))
      continue;
    throw new ConfigError(
      `instances: ${name} must be a name of 1 to ${LIMITS.nameLength} characters, got ${show(given)}.`,
    );
  }
  const { ttlMs } = ask;
  if ("ttlMs" in ask && !(typeof ttlMs === "number" && ttlMs >= 1 && ttlMs <= LIMITS.ttlMs))
    throw new ConfigError(`instances: ttlMs must be from 1 to ${LIMITS.ttlMs} ms, got ${show(ttlMs)}.`);
  for (const what of ["report", "message"] as const) {
    const text: unknown = ask[what];
    if (!(what in ask)) continue;
    if (typeof text !== "string")
      throw new ConfigError(`instances: a ${what} is a text, such as JSON, got ${show(text)}.`);
    const most = LIMITS[`${what}Length`];
    if (text.length <= most) continue;
    throw new StoreError(
      `instances: a ${what} of ${text.length} characters is not kept; it may have ${most}`,
      { retryable: false },
    );
  }
}

const LIMITS = INSTANCE_LIMITS;
