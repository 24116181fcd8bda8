/** Names of keys that are decided together, and so have one hash tag. */
export interface Scope {
  readonly name: string;
  /** `bw1:{tag}:kind:…`. Names and keys of users stand in it as digests alone: they may be personal, and hold braces. */
  key(kind: string, ...names: readonly string[]): string;
  /** The same for a channel. */
  channel(kind: string, ...names: readonly string[]): string;
}
