import { createHash } from "node:crypto";

import { remember } from "./remember.ts";

/** Names of keys that are decided together, and so have one hash tag. */
export interface Scope {
  readonly name: string;
  /** `bw1:{tag}:kind:…`. Names and keys of users stand in it as digests alone: they may be personal, and hold braces. */
  key(kind: string, ...names: readonly string[]): string;
  /** The same for a channel. */
  channel(kind: string, ...names: readonly string[]): string;
}

/** Keys of another format get another number, so that two releases can share a server while one replaces the other. */
const VERSION = "bw1";

/** Digests that are remembered. One takes as long as a tenth of a decision, and the same names come again and again. */
const REMEMBERED = 4096;

export function createScope(name: string): Scope {
  const prefix = `${VERSION}:{${tagOf(name)}}:`;
  const digests = remember(REMEMBERED, digest);
  const key = (kind: string, ...names: readonly string[]): string => {
    let made = prefix + kind;
    for (const each of names) made += `:${digests(each)}`;
    return made;
  };
  return { name, key, channel: key };
}

/** A name that is safe stays readable for whoever looks at the server; any other is a digest, marked as such. */
function tagOf(name: string): string {
  return /^[a-z0-9][a-z0-9._-]{0,31}$/i.test(name) ? name : `#${digest(name)}`;
}

/** 108 bits: two of a billion names collide with a probability of 10⁻¹⁵. */
function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 18);
}
