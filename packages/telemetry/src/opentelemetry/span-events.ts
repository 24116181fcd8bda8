import { type BreakwaterEvent, type EventType, plainEvent } from "@breakwater/core";
import type { Attributes } from "@opentelemetry/api";

/** What is a span itself, or happens so often that a call that waits long would consist of it. */
const NOT_TOLD: readonly EventType[] = [
  "attempt-cost",
  "attempt-end",
  "attempt-start",
  "call-end",
  "call-start",
  "store-decide",
];

/** What the span says beside. */
const KNOWN: readonly string[] = ["type", "client", "callId", "serial", "at"];

export function isSpanEvent(event: BreakwaterEvent): boolean {
  return !NOT_TOLD.includes(event.type);
}

/** The fields of an event, as flat as attributes are: `refusal.code` for the code of a refusal. */
export function attributesOfEvent(event: BreakwaterEvent, identities: boolean): Attributes {
  const attributes: Attributes = {};
  for (const [field, value] of Object.entries(plainEvent(event, { identities })))
    if (!KNOWN.includes(field)) flatten(`breakwater.${field}`, value, attributes);
  return attributes;
}

function flatten(path: string, value: unknown, into: Attributes): void {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    into[path] = value;
  else if (typeof value === "object" && value !== null)
    for (const [name, member] of Object.entries(value)) flatten(`${path}.${name}`, member, into);
}
