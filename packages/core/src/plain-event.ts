import { TimedOutError, UpstreamError } from "./errors.ts";
import type { BreakwaterEvent } from "./events.ts";
import type { Ending, Meta, Usage } from "./outcome.ts";
import { plainData } from "./plain-data.ts";

/** An event that can be written down: JSON, without anything that is nobody's business. */
export interface PlainEvent {
  readonly type: BreakwaterEvent["type"];
  readonly client: string;
  readonly callId?: string;
  readonly serial?: number;
  /** Monotonic milliseconds of the client's runtime. */
  readonly at: number;
  readonly [field: string]: unknown;
}

export interface PlainEventOptions {
  /**
   * Whether tenants, and the keys that policies count by, are told. Both are texts of yours: what identifies a customer,
   * or authorises one, does not belong in every log.
   * @default false
   */
  readonly identities?: boolean;
}

/** What may be told of an error: nothing of what it says, since that may be a part of the prompt, or a key. */
export interface PlainError {
  readonly name: string;
  readonly code?: string;
  readonly status?: number;
  readonly clock?: string;
  readonly traceId?: string;
}

/**
 * An event as data for logs, event streams and pages. Errors are told by name, code and status and never by their
 * message, for only who made it knows what is in it; answers, prompts and headers are in no event to begin with.
 *
 * @example
 * ```ts
 * import { createPipeline, plainEvent, type PlainEvent } from "@breakwater/core";
 *
 * const told: PlainEvent[] = [];
 * const search = createPipeline({ name: "search" });
 * search.on((event) => told.push(plainEvent(event)));
 * await search.outcome(() => Promise.reject(new Error("no user with the key sk-123")));
 * told.at(-1)?.type; // => "call-end"
 * JSON.stringify(told).includes("sk-123"); // => false
 * ```
 */
export function plainEvent(
  event: BreakwaterEvent,
  { identities = false }: PlainEventOptions = {},
): PlainEvent {
  const plain: Record<string, unknown> = {};
  for (const field of Object.keys(event)) {
    const value: unknown = event[field as keyof BreakwaterEvent];
    if (value === undefined || (!identities && hides(field, event.type))) continue;
    plain[field] = plainField(field, value, identities);
  }
  return plain as unknown as PlainEvent;
}

/** The name of an error and what it is known by. */
export function plainError(error: unknown): PlainError {
  if (typeof error !== "object" || error === null) return { name: typeof error };
  const { name, code, status } = error as Readonly<Record<string, unknown>>;
  return {
    name: isWord(name) ? name : "Error",
    ...(isWord(code) && { code }),
    ...(typeof status === "number" && Number.isInteger(status) && { status }),
    ...(TimedOutError.isInstance(error) && { clock: error.clock }),
    ...(UpstreamError.isInstance(error) && isWord(error.traceId) && { traceId: error.traceId }),
  };
}

/** A name that a program gives, such as `ECONNRESET`; not a sentence, and no key. */
function isWord(value: unknown): value is string {
  return typeof value === "string" && /^[\w.:-]{1,64}$/.test(value) && !value.startsWith("sk-");
}

/** Of a key of the upstream's, an event holds the last characters only. */
const SHOWN_KEYS: readonly string[] = ["key-disable", "key-enable"];

function hides(field: string, type: string): boolean {
  return field === "tenant" || (field === "key" && !SHOWN_KEYS.includes(type));
}

function plainField(field: string, value: unknown, identities: boolean): unknown {
  switch (field) {
    case "error":
      return plainError(value);
    case "ending":
      return plainEnding(value as Readonly<Record<string, unknown>>);
    case "meta":
      return plainMeta(value as Meta);
    case "change":
      return plainChange(value as Readonly<Record<string, unknown>>, identities);
    default:
      return plainData(value);
  }
}

// Member by member, here and below: a line of a log is made of it for each call, and spreads took half of its time.

/**
 * What it ended with is an error, a refusal, or whatever a caller gave as the reason for leaving. Of a failure it has all
 * members of the outcome that somebody's upstream made: what is none of these is not told.
 */
function plainEnding(ending: Readonly<Record<string, unknown>>): unknown {
  const plain: Record<string, unknown> = {};
  for (const name of ENDING) {
    const value = plainData(ending[name]);
    if (value !== undefined) plain[name] = value;
  }
  const { error, status, usage } = ending;
  if (usage !== undefined) plain["usage"] = plainUsage(usage as Usage);
  if (error === undefined) return plain;
  if (status === "refused") plain["refusal"] = plainData(error);
  else plain["error"] = plainError(error);
  return plain;
}

/** An upstream writes into these. What it is not asked for is not told. */
function plainMeta(meta: Meta): unknown {
  const { saved, traceId, usage } = meta;
  const plain: Record<string, unknown> = {};
  for (const name of META) if (meta[name] !== undefined) plain[name] = meta[name];
  if (usage !== undefined) plain["usage"] = plainUsage(usage);
  if (saved !== undefined) plain["saved"] = plainUsage(saved);
  if (isWord(traceId)) plain["traceId"] = traceId;
  return plain;
}

const ENDING: readonly (keyof Ending)[] = [
  "status",
  "fault",
  "scope",
  "retryable",
  "retryAfterMs",
  "limit",
  "spent",
  "dispatchedAt",
  "firstTokenAt",
  "endedAt",
];

const META = [
  "callId",
  "attempts",
  "target",
  "model",
  "cache",
  "degraded",
  "waitedMs",
  "firstTokenMs",
  "resumed",
] as const satisfies readonly (keyof Meta)[];

/** It may count more than we know of. */
function plainUsage(usage: Usage): unknown {
  const counts = Object.entries(usage).filter(
    ([, count]) => typeof count === "boolean" || Number.isFinite(count),
  );
  return Object.fromEntries(counts);
}

function plainChange({ key, ...change }: Readonly<Record<string, unknown>>, identities: boolean): unknown {
  return { ...(plainData(change) as object), ...(identities && key !== undefined && { key }) };
}
