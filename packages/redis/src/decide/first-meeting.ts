import type { Runtime } from "@breakwater/core";

import type { Link } from "../connection/link.ts";

/** As long as a connection may take to be made, in ms. */
const PATIENCE_MS = 500;

/**
 * A process that starts asks before it is connected. Its first decisions wait for that, once: else each start of a
 * healthy fleet would begin with refusals, since without Redis a process has only its share, and begins with none of it.
 *
 * @returns what says whether there is still something to wait for; it resolves in half a second at most, and never rejects
 */
export function createFirstMeeting(link: Link, runtime: Runtime): () => Promise<void> | undefined {
  let pending: Promise<void> | undefined;
  let over = false;
  let settle = (): void => {};
  function end(): void {
    over = true;
    forget();
    settle();
  }
  // It may have come and gone before anybody is here to wait for it: an outage is not a start.
  const forget = link.onChange((up) => {
    if (up) end();
  });
  if (link.up) end();
  return () => {
    if (over) return undefined;
    pending ??= new Promise<void>((resolve) => {
      const cancel = runtime.setTimer(PATIENCE_MS, end);
      settle = () => {
        cancel();
        resolve();
      };
    });
    return pending;
  };
}
