import { type BreakwaterEvent, plainEvent, type PlainEvent, type Runtime } from "@breakwater/core";

/** An event of late, for people. */
export interface RecentEvent extends PlainEvent {
  /** When it happened, for the last time, in ms since 1970. */
  readonly time: number;
  /** How often, where it has happened again and again: only the last time is told. */
  readonly count?: number;
}

/** The last events that are worth telling. */
export interface Recent {
  note(event: BreakwaterEvent): void;
  /** Oldest first. */
  list(): readonly RecentEvent[];
}

/** What each call tells, and what is counted elsewhere. */
const OF_EVERY_CALL: ReadonlySet<string> = new Set([
  "call-start",
  "call-end",
  "call-refused",
  "attempt-start",
  "attempt-end",
  "attempt-cost",
  "store-decide",
  "cache-read",
  "queue-wait",
]);

const MAX_EVENTS = 50;
/** Of those the deeds that others do not push out. */
const MAX_DEEDS = 10;

/** Events of one kind that come sooner than this after one another are one entry. */
const SAME_WITHIN_MS = 10_000;

interface Entry {
  readonly kind: string;
  readonly subject: string;
  event: PlainEvent;
  time: number;
  count: number;
}

export function createRecent(runtime: Runtime): Recent {
  const entries: Entry[] = [];
  return {
    note(event) {
      if (OF_EVERY_CALL.has(event.type)) return;
      const kind = `${event.type} ${reasonOf(event)}`;
      const subject = isState(event.type) ? subjectOf(event) : `${kind}\n${subjectOf(event)}`;
      const time = runtime.wallNow();
      const again = entries.findLastIndex((entry) => entry.subject === subject);
      const before = entries[again];
      // A storm of one thing must not push everything else out, and two states in turn are no storm.
      if (
        before !== undefined &&
        before.kind === kind &&
        time - before.time < SAME_WITHIN_MS &&
        !ONCE.has(event.type)
      ) {
        entries.splice(again, 1);
        entries.push(before);
        Object.assign(before, {
          event: plainEvent(event, { identities: true }),
          time,
          count: before.count + 1,
        });
        return;
      }
      entries.push({ kind, subject, event: plainEvent(event, { identities: true }), time, count: 1 });
      if (entries.length > MAX_EVENTS) forgetOne(entries);
    },
    list: () => entries.map(({ event, time, count }) => ({ ...event, time, ...(count > 1 && { count }) })),
  };
}

/** The oldest; but who asks why a thing is as it is asks first who has changed it. */
function forgetOne(entries: Entry[]): void {
  const deeds = entries.filter(({ event }) => ONCE.has(event.type)).length;
  const oldest = deeds > MAX_DEEDS ? 0 : entries.findIndex(({ event }) => !ONCE.has(event.type));
  entries.splice(oldest, 1);
}

/** Whether it tells how something is from now on: what it was before, and is again, is worth telling. */
function isState(type: BreakwaterEvent["type"]): boolean {
  return /^(breaker|account|key)-/.test(type) || type === "store-degrade" || type === "store-recover";
}

/** Each of these is somebody's deed. */
const ONCE: ReadonlySet<string> = new Set(["policy-change"]);

type Name = "policy" | "account" | "where" | "key" | "because" | "clock" | "message";
type Fields = Partial<Record<Name, string>> & {
  readonly refusal?: { readonly by: string; readonly code: string };
  readonly to?: string | number;
  readonly ok?: boolean;
};

/** What it happened to. */
function subjectOf(event: BreakwaterEvent): string {
  const { policy, account, key, refusal, where } = event as Fields;
  return [event.client, policy ?? account ?? where ?? refusal?.by, key].join("\n");
}

/** In what way. Not how much: a limit that follows its upstream has another number each time. */
function reasonOf(event: BreakwaterEvent): string {
  const { because, clock, message, ok, refusal, to } = event as Fields;
  return [because, clock, message, ok, typeof to === "string" ? to : "", refusal?.code].join(" ");
}
