import { Observable } from "rxjs";

type Run = <T>(f: () => T) => T;

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
    const read = (): void => {
      iterator.next().then(
        ({ done, value }) => {
          if (subscriber.closed) return;
          over = done === true;
          if (over) subscriber.complete();
          else {
            subscriber.next(value as T);
            if (!subscriber.closed) read();
          }
        },
        (error: unknown) => {
          over = true;
          subscriber.error(error);
        },
      );
    };
    read();
    return () => {
      // Leaving may take as long as it likes, and has nobody left to fail for.
      if (!over) void iterator.return?.().then(undefined, () => undefined);
    };
  });
}

/** Items that a source said and nobody has read yet. RxJS has no back-pressure, so something must be the last straw. */
const MOST_UNREAD = 65_536;

/** What an Observable says, as an async iterable. Subscribes now; leaving the iterable unsubscribes. */
export function toIterable<T>(source: Observable<T>): AsyncIterable<T> {
  const items: T[] = [];
  let end: { readonly error?: unknown } | undefined;
  let wake: (() => void) | undefined;
  const finish = (how: { readonly error?: unknown }): void => {
    end ??= how;
    wake?.();
  };
  const subscription = source.subscribe({
    next(item) {
      if (end !== undefined) return;
      items.push(item);
      if (items.length > MOST_UNREAD) {
        finish({ error: new Error(`an Observable was ${MOST_UNREAD} items ahead of its reader`) });
        queueMicrotask(() => subscription.unsubscribe()); // it may say all of them while it is being subscribed to
      }
      wake?.();
    },
    error: (error: unknown) => finish({ error }),
    complete: () => finish({}),
  });
  const iterator: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]: () => iterator,
    async next() {
      while (items.length === 0 && end === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (items.length > 0) return { done: false, value: items.shift() as T };
      const { error } = end as { error?: unknown };
      if (error !== undefined) {
        end = {};
        throw error as Error;
      }
      return { done: true, value: undefined };
    },
    return() {
      subscription.unsubscribe();
      items.length = 0;
      finish({});
      return Promise.resolve({ done: true, value: undefined });
    },
  };
  return iterator;
}

/**
 * An iterable that begins with its first read: before that it holds nothing. Leaving it fires the signal that `start`
 * was given, also while that is still under way.
 */
export function lazily<T>(
  start: (signal: AbortSignal) => Promise<AsyncIterable<T>>,
): AsyncIterableIterator<T> {
  const leaving = new AbortController();
  let source: Promise<AsyncIterator<T>> | undefined;
  let left = false;
  const iterator: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]: () => iterator,
    async next() {
      if (left) return { done: true, value: undefined };
      source ??= start(leaving.signal).then((items) => items[Symbol.asyncIterator]());
      return (await source).next();
    },
    async return() {
      left = true;
      leaving.abort(new LeftError());
      const begun = await source?.catch(() => undefined);
      await begun?.return?.();
      return { done: true, value: undefined };
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
    start(leaving.signal).then(
      (value) => {
        subscriber.next(value);
        subscriber.complete();
      },
      (error: unknown) => subscriber.error(error),
    );
    return () => leaving.abort(new LeftError());
  });
}

/** Every step of an iterable through `run`: a generator's body runs in the context of who asks for its next item. */
export function stepping<T>(source: AsyncIterable<T>, run: Run): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = source[Symbol.asyncIterator]();
      return {
        next: () => run(() => iterator.next()),
        return: (value?: unknown) =>
          run(() => iterator.return?.(value) ?? Promise.resolve({ done: true, value: undefined })),
      };
    },
  };
}

export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}
