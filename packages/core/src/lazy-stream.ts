/**
 * A stream whose work begins with the first read: one that nobody reads asks nothing and holds nothing. Leaving it fires
 * the signal that `begin` was given, also while that is still under way; a signal of the caller's is handed on instead,
 * and is his to fire. For what calls a client or a pipeline on behalf of others, as adapters do.
 *
 * @example
 * ```ts
 * import { bulkhead, createPipeline, lazyStream } from "@breakwater/core";
 *
 * const guarded = createPipeline(bulkhead({ concurrency: 1 }));
 * async function* count() {
 *   yield* [1, 2, 3];
 * }
 * const numbers = lazyStream(async (signal) => guarded.execute(count, { signal }));
 * guarded.snapshot().inFlight; // => 0
 * const { value } = await numbers.next();
 * value; // => 1
 * guarded.snapshot().inFlight; // => 1
 * await numbers.return?.();
 * guarded.snapshot().inFlight; // => 0
 * ```
 */
export function lazyStream<T>(
  begin: (signal: AbortSignal) => Promise<AsyncIterable<T>>,
  given?: AbortSignal,
): AsyncIterableIterator<T> {
  // An iterator by hand: a generator that never started does not run its `finally`, and one that waits cannot be left.
  // The caller's own signal is handed on as it is, since it may tell more than an abort: whose call this is part of.
  let leave: AbortController | undefined;
  let begun: Promise<AsyncIterator<T>> | undefined;
  let reading = 0;
  let left = false;

  const stream: AsyncIterableIterator<T> = {
    async next() {
      if (left) return { done: true, value: undefined };
      if (begun === undefined) {
        if (given === undefined) leave = new AbortController();
        const source = begin(given ?? (leave as AbortController).signal);
        begun = source.then((items) => items[Symbol.asyncIterator]());
      }
      reading++;
      try {
        return await (await begun).next();
      } finally {
        reading--;
      }
    },
    async return() {
      left = true;
      // Between two reads the source is asked to stop, and waited for: what it held is free when this returns. In the
      // middle of one it may not hear of that before it has an item.
      if (reading > 0) leave?.abort();
      const iterator = await begun?.catch(() => undefined);
      await iterator?.return?.();
      leave?.abort();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}
