import { StoreError } from "@breakwater/core";

import type { Link } from "../connection/link.ts";

/** Says that Redis fails, but not with every call: an outage is one piece of news. */
export interface Complaints {
  /** Throws if that is news; else it is as if nothing had been found. */
  about(error: unknown): undefined;
}

const EVERY_MS = 1_000;

export function createComplaints(link: Link): Complaints {
  const { runtime } = link;
  let quietUntil = -Infinity;
  /** Told since Redis was up for the last time. */
  let told = false;
  return {
    about(error) {
      const now = runtime.now();
      if (link.up) told = false;
      if (told || now < quietUntil) return undefined;
      told = !link.up;
      quietUntil = now + EVERY_MS;
      throw new StoreError("the cache in Redis cannot be asked", { cause: error });
    },
  };
}
