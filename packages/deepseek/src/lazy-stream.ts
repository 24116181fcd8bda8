/**
 * A stream whose call begins with the first read, so that one that nobody reads asks nothing. An iterator by hand:
 * a generator that never started does not run its `finally`, and one that waits cannot be left.
 */
export function lazyStream<T>(
  begin: (signal: AbortSignal) => Promise<AsyncIterator<T>>,
  given: AbortSignal | undefined,
): AsyncIterableIterator<T> {
  // The caller's own signal is handed on as it is, since it may tell more than an abort: whose call this is part of.
  let leave: AbortController | undefined;
  let begun: Promise<AsyncIterator<T>> | undefined;
  let left = false;

  const stream: AsyncIterableIterator<T> = {
    async next() {
      if (left) return { done: true, value: undefined };
      if (begun === undefined) {
        if (given === undefined) leave = new AbortController();
        begun = begin(given ?? (leave as AbortController).signal);
      }
      return (await begun).next();
    },
    async return() {
      left = true;
      leave?.abort();
      const iterator = await begun?.catch(() => undefined);
      await iterator?.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}
