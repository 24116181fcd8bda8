import { type InstanceStore, type MaybePromise, type Runtime, StoreError } from "@breakwater/core";

/** A store of which every answer, or its absence, comes later. */
export type BoundedStore = {
  readonly [K in "all" | "put" | "remove" | "tell" | "told"]: (
    ...args: Parameters<InstanceStore[K]>
  ) => Promise<Awaited<ReturnType<InstanceStore[K]>>>;
};

/** No store may take longer, whatever it says of itself. */
const WITHIN_MS = 5_000;

/** A store answers in bounded time; one of somebody's own may not, and would take the page with it. */
export function boundedStore(store: InstanceStore, runtime: Runtime): BoundedStore {
  function bounded<T>(ask: () => MaybePromise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const late = (): void =>
        reject(new StoreError(`the store of instances did not answer within ${WITHIN_MS} ms`));
      const stop = runtime.setTimer(WITHIN_MS, late, true);
      void (async () => ask())().then(resolve, reject).finally(stop);
    });
  }
  return {
    all: (...args) => bounded(() => store.all(...args)),
    put: (...args) => bounded(() => store.put(...args)),
    remove: (...args) => bounded(() => store.remove(...args)),
    tell: (...args) => bounded(() => store.tell(...args)),
    told: (...args) => bounded(() => store.told(...args)),
  };
}

/** Of our own errors what they say; of any other no more than what it is: who wrote it knows what is in it. */
export function reasonOf(error: unknown): string {
  if (StoreError.isInstance(error)) return error.message;
  return error instanceof Error ? error.name : "an error";
}
