import { type BreakwaterEvent, type Listener, type Watched, watchables } from "@breakwater/core";

/**
 * Listens to all of these. A client that was given twice, itself and as a part of something, is heard once.
 *
 * @param where what error messages begin with
 * @returns a function that ends it
 */
export function watch(given: Watched, where: string, listener: Listener): () => void {
  // Both tell one and the same event, one behind the other.
  let last: BreakwaterEvent | undefined;
  const once: Listener = (event) => {
    if (event === last) return;
    last = event;
    listener(event);
  };
  const forget = watchables(given, where).map((each) => each.on(once));
  return () => {
    for (const each of forget) each();
  };
}
