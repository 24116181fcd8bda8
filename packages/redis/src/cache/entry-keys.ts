import { createHash } from "node:crypto";

import type { Scope } from "../keys.ts";
import type { Place } from "./memory-tier.ts";

/**
 * Where one answer lives, with all that belongs to it: on one node, and each answer on a node of its own. `digest` is 192
 * bits of name, generation and key: nobody finds others for them.
 */
export interface EntryKeys extends Place {
  readonly entry: string;
  /** Who fetches it. */
  readonly lock: string;
  /** What the last one who fetched it came to, if that was no answer. */
  readonly note: string;
  /** Where it is said that there is news. */
  readonly channel: string;
}

/** What a name and its generation are called in this process. */
export function shelfOf(name: string, generation: string): string {
  return `${generation}:${name}`;
}

export function entryKeys(scope: Scope, shelf: string, key: string): EntryKeys {
  // Lengths in front: no others make the same text.
  const text = `${scope.name.length}:${scope.name}${shelf.length}:${shelf}${key}`;
  const digest = createHash("sha256").update(text).digest("base64url").slice(0, 32);
  const tag = `bw1:{cache:${digest}}`;
  return { shelf, key, digest, entry: `${tag}:e`, lock: `${tag}:l`, note: `${tag}:n`, channel: `${tag}:c` };
}
