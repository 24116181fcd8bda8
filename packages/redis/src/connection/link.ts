import type { Runtime } from "@breakwater/core";

/** A Lua script, known to Redis by the digest of its text. */
export interface Script {
  readonly name: string;
  readonly lua: string;
  readonly sha: string;
  /** Sent though many commands wait already: there are few of it, and others hang on them. */
  readonly vital: boolean;
}

/** Why Redis did not answer. `unknown`: whether it did what it was asked to. */
export class LinkError extends Error {
  override readonly name = "LinkError";
  readonly unknown: boolean;

  constructor(message: string, unknown: boolean, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.unknown = unknown;
  }
}

/** The one way to Redis. Never throws at once, never waits longer than it says, and never asks the same thing twice by itself. */
export interface Link {
  readonly runtime: Runtime;
  /** Whether asking makes sense at this moment: connected, and not given up for the moment after failures. */
  readonly up: boolean;
  /** Why it does not; `undefined` while it does. */
  readonly reason?: LinkError | undefined;
  /**
   * Runs a script where `keys` live; one that the server has forgotten is sent again with its text.
   *
   * @param binary whether strings in the reply are buffers
   * @returns the reply; rejects with a `LinkError` after `timeoutMs` at the latest; the first time that a script is run,
   * after half a second.
   */
  run(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number | Uint8Array)[],
    timeoutMs?: number,
    binary?: boolean,
  ): Promise<unknown>;
  /** One command; replies are buffers where `binary`. */
  command(
    name: string,
    args: readonly (string | number | Uint8Array)[],
    options?: CommandOptions,
  ): Promise<unknown>;
  /**
   * Hears what is published, over a connection of its own. What is said while that is away is lost.
   *
   * @param began told each time that it hears from now on, the first time included: what was said before may be missing
   * @returns what ends it
   */
  subscribe(channel: string, hear: (message: string) => void, began?: () => void): () => void;
  /** Told when `up` changes. @returns what ends it */
  onChange(tell: (up: boolean) => void): () => void;
  /** Ends connections that are its own; one that it was given stays. */
  close(): Promise<void>;
}

interface CommandOptions {
  readonly timeoutMs?: number;
  readonly binary?: boolean;
}
