/**
 * What is used of an ioredis client. Said by structure, because there are two majors, both module formats, and often
 * several copies in one tree: `instanceof` and ioredis' own types would tell them apart.
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
}
