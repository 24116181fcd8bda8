import { Observable, takeWhile } from "rxjs";

/**
 * What an async iterable says, as an Observable: read from when somebody subscribes, left at once when he unsubscribes,
 * also while it is silent. RxJS's own `from()` would wait for one more item first.
 *
 * @example
 * ```ts
 * import { toObservable } from "@breakwater/nestjs";
 * import { lastValueFrom, toArray } from "rxjs";
 *
 * async function* words() {
 *   yield* ["all", "is", "well"];
 * }
 * await lastValueFrom(toObservable(words()).pipe(toArray())); // => ["all", "is", "well"]
 * ```
 */
export function toObservable<T>(source: AsyncIterable<T>): Observable<T> {
  return new Observable((subscriber) => {
    const iterator = source[Symbol.asyncIterator]();
    let over = false;
    const read = async (): Promise<void> => {
      try {
        while (!subscriber.closed) {
          const { done, value } = await iterator.next();
          over = done === true;
          if (over) subscriber.complete();
          else subscriber.next(value as T);
        }
      } catch (error) {
        over = true;
        subscriber.error(error);
      }
    };
    void read();
    return () => {
      // Leaving may take as long as it likes, and has nobody left to fail for.
      if (!over) void (async () => iterator.return?.())().catch(() => undefined);
    };
  });
}

/** Items that a source said and nobody has read yet. RxJS has no back-pressure, so something must be the last straw. */
const MOST_UNREAD = 1_000_000;

/** What an Observable says, as an async iterable. Subscribes now; leaving the iterable unsubscribes. */
export function toIterable<T>(source: Observable<T>): AsyncIterable<T> {
  let unread: T[] = [];
  let read = 0;
  let end: { readonly error?: unknown } | undefined;
  let wake: (() => void) | undefined;
  const finish = (how: { readonly error?: unknown }): void => {
    end ??= how;
    wake?.();
  };
  // An Observable that never pauses hears only inside of itself that it is to stop: it is being subscribed to all the while.
  const subscription = source.pipe(takeWhile(() => end === undefined)).subscribe({
    next(item) {
      if (unread.push(item) - read > MOST_UNREAD) {
        unread = [];
        read = 0;
        finish({ error: new Error(`an Observable was ${MOST_UNREAD} items ahead of its reader`) });
      }
      wake?.();
    },
    error: (error: unknown) => finish({ error }),
    complete: () => finish({}),
  });
  const iterator: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]: () => iterator,
    async next() {
      while (read === unread.length && end === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (read < unread.length) {
        const value = unread[read++] as T;
        // Seldom: to shorten a long list moves what is left of it.
        if (read === unread.length || (read >= 1_024 && read * 2 >= unread.length)) {
          unread = unread.slice(read);
          read = 0;
        }
        return { done: false, value };
      }
      const how = end as { readonly error?: unknown };
      end = {};
      if ("error" in how) throw how.error;
      return { done: true, value: undefined };
    },
    return() {
      subscription.unsubscribe();
      unread = [];
      read = 0;
      end = {};
      wake?.();
      return Promise.resolve({ done: true, value: undefined });
    },
  };
  return iterator;
}

/** Why a call was cancelled: whoever read what it says has left. Named so that SDKs and `fetch` take it for what it is. */
export class LeftError extends Error {
  override readonly name = "AbortError";
  constructor() {
    super("the subscriber has left");
  }
}

/** A promise's work as an Observable: begins when somebody subscribes, is cancelled when he unsubscribes. */
export function single<T>(start: (signal: AbortSignal) => Promise<T>): Observable<T> {
  return new Observable((subscriber) => {
    const leaving = new AbortController();
    let over = false;
    start(leaving.signal).then(
      (value) => {
        // Something of it may still go out.
        over = true;
        subscriber.next(value);
        subscriber.complete();
      },
      (error: unknown) => subscriber.error(error),
    );
    return () => {
      if (!over) leaving.abort(new LeftError());
    };
  });
}

export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}
