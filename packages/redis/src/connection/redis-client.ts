/**
 * What is used of an ioredis client, `Redis` or `Cluster`. Said by structure, because there are two majors, both module
 * formats, and often several copies in one tree: `instanceof` and ioredis' own types would tell them apart.
 */
export interface RedisClient {
  /** `wait`, `connecting`, `connect`, `ready`, `close`, `reconnecting` or `end`. */
  readonly status: string;
  readonly isCluster: boolean;
  readonly options: object;
  call(command: string, ...args: (string | number | Buffer)[]): Promise<unknown>;
  callBuffer(command: string, ...args: (string | number | Buffer)[]): Promise<unknown>;
  // oxlint-disable-next-line typescript/no-explicit-any -- as Node's emitters have it
  on(event: string, listener: (...args: any[]) => void): unknown;
  // oxlint-disable-next-line typescript/no-explicit-any
  removeListener(event: string, listener: (...args: any[]) => void): unknown;
  connect(): Promise<void>;
  disconnect(reconnect?: boolean): void;
  // oxlint-disable-next-line typescript/no-explicit-any -- `Redis` and `Cluster` take different things
  duplicate(...overrides: any[]): RedisClient;
  /** Of a single server, while there is a connection. */
  readonly stream?: { cork(): void; uncork(): void } | undefined;
  /** Of a cluster. */
  nodes?(role?: "all" | "master" | "slave"): readonly RedisClient[];
}

/** The constructors of one major of ioredis. */
export interface RedisLibrary {
  // oxlint-disable-next-line typescript/no-explicit-any -- the options of two majors differ in their types
  readonly Redis: new (...args: any[]) => RedisClient;
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly Cluster: new (...args: any[]) => RedisClient;
}
