import type { ServerResponse } from "node:http";

/**
 * Items no faster than the client takes what is made of them: for frameworks that write by themselves, and keep all that
 * the client has not taken, however much that is.
 */
export function paced<T>(items: AsyncIterable<T>, res: ServerResponse): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = items[Symbol.asyncIterator]();
      let said = false;
      return {
        async next() {
          // What was said is on its way through the framework until this turn of the event loop is over: a source that
          // has its items at once would have said them all before the response asked to be waited for.
          if (said) await turn();
          said = true;
          if (res.writableNeedDrain) await drained(res);
          return iterator.next();
        },
        return: () => iterator.return?.() ?? Promise.resolve({ done: true, value: undefined }),
      };
    },
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Never, for one who has left: whoever reads for him leaves, too. */
function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => void res.off("drain", go).off("close", stop);
    const go = (): void => {
      stop();
      resolve();
    };
    res.once("drain", go).once("close", stop);
  });
}
