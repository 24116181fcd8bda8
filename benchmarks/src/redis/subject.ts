/** One side, connected and ready. */
export interface RedisSubject {
  /** Makes a call. Resolves to `true` when it was admitted, and what follows from its end has been said. */
  readonly call: (n: number) => Promise<boolean>;
  close(): Promise<void>;
}

type SetUp = (url: string) => Promise<RedisSubject>;

/** The sides of one library. */
export type RedisSubjects = Readonly<Record<string, SetUp>>;
