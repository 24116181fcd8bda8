import { createHash } from "node:crypto";

import type { Scope } from "../keys.ts";

/** Where one answer lives, with all that belongs to it: on one node, and each answer on a node of its own. */
export interface EntryKeys {
  /** 192 bits of name, generation and key: nobody finds another pair for them. */
  readonly digest: string;
  readonly entry: string;
  /** Who fetches it. */
  readonly lock: string;
  /** What the last one who fetched it came to, if that was no answer. */
  readonly note: string;
  /** Where it is said that there is news. */
  readonly channel: string;
}

export function entryKeys(scope: Scope, name: string, generation: string, key: string): EntryKeys {
  // Lengths in front: no others make the same text.
  const text = `${scope.name.length}:${scope.name}${name.length}:${name}${generation}:${key}`;
  const digest = createHash("sha256").update(text).digest("base64url").slice(0, 32);
  const tag = `bw1:{cache:${digest}}`;
  return { digest, entry: `${tag}:e`, lock: `${tag}:l`, note: `${tag}:n`, channel: `${tag}:c` };
}
