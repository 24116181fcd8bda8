import type { ServerResponse } from "node:http";

import { paced } from "@breakwater/http";
import type { ExecutionContext, MessageEvent } from "@nestjs/common";
import { concat, concatMap, map, type Observable, of } from "rxjs";

import { isAsyncIterable, toObservable } from "./streams.ts";

/** Whether the handler is one of `@Sse()`. */
export function isSse(context: Pick<ExecutionContext, "getHandler">): boolean {
  return Reflect.getMetadata("__sse__", context.getHandler()) === true;
}

/** Events as Nest writes them, and of an async iterable each item as one, with `[DONE]` after the last. */
export function toEvents(events: Observable<unknown>, res: ServerResponse | undefined): Observable<unknown> {
  return events.pipe(
    concatMap((event) => (isAsyncIterable(event) ? eventsOf(event, res) : of(event))),
    map(toMessage),
  );
}

function eventsOf(items: AsyncIterable<unknown>, res: ServerResponse | undefined): Observable<unknown> {
  const done = of({ data: "[DONE]" });
  if (res?.req.method === "HEAD") {
    // Nobody would read it, and its permit is of use to others.
    void items[Symbol.asyncIterator]()
      .return?.()
      .then(undefined, () => undefined);
    return done;
  }
  // Nest keeps all that the browser has not taken.
  const events = toObservable(res === undefined ? items : paced(items, res));
  // Of what a client says only `data` tells an event: a chunk of an answer may have an `id` and a `type`, too.
  return concat(events.pipe(map((item) => (isObject(item) && "data" in item ? item : { data: item }))), done);
}

const FIELDS: ReadonlySet<string> = new Set(["data", "type", "id", "retry", "comment"]);

/** As Nest writes it; anything else is the data of an event. */
function toMessage(event: unknown): object {
  if (!isMessage(event)) return { data: writable(event) };
  // A message of its own: Nest gives it an id, and the one that was said may be said to others as well.
  const { data, type, id, retry, comment } = event;
  return { data: writable(data), type, id, retry, comment };
}

function isMessage(event: unknown): event is MessageEvent {
  if (!isObject(event) || Array.isArray(event)) return false;
  const keys = Object.keys(event);
  return "data" in event || (keys.length > 0 && keys.every((key) => FIELDS.has(key)));
}

/** Nest takes strings and objects, and hangs for ever on a number. */
function writable(data: unknown): unknown {
  return /^(number|boolean|bigint)$/.test(typeof data) ? String(data) : data;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
