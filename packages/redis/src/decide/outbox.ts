/** What is told to Redis when calls have ended, many at a time. */
export interface Outbox {
  /**
   * Sends it with what else this turn of the event loop brings, after everything that was decided before.
   *
   * @returns what Redis says; rejects with a `LinkError` when it is not known whether Redis was told.
   */
  push(operation: Operation): Promise<unknown>;
  /** Sends what there is now. */
  flush(): Promise<void>;
}

export interface Operation {
  /** A name in the `operations` of one of the parts. */
  readonly name: string;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  /** Telling it twice is telling it once: it is kept while Redis is away, and told then. @default false: it is dropped */
  readonly again?: boolean;
}
