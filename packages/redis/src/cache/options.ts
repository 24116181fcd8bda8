import { type Duration, type OptionReader, readOptions } from "@breakwater/core";

/** What `cache` keeps in the process, in front of Redis. */
export interface RedisCacheTierOptions {
  /** Bytes of answers kept in this process; `0`: none. @default 32 MiB */
  readonly memoryBytes?: number;
  /**
   * How long one is kept there. That an answer was deleted is told to all processes at once, but one whose connection is
   * broken in that moment goes on giving it out for so long. `0` asks Redis each time. @default "5s"
   */
  readonly memoryFor?: Duration;
}

export interface RedisCacheTier {
  readonly memoryBytes: number;
  readonly memoryMs: number;
}

/** Reads the option `cache` of a store. */
export function readCacheTier(reader: OptionReader): RedisCacheTier {
  const given = readOptions("redisStore: cache", reader.raw<RedisCacheTierOptions>("cache"));
  const memoryBytes = given.count("memoryBytes", 32 * 1024 * 1024, { min: 0 });
  const memoryMs = given.duration("memoryFor", 5_000);
  given.done();
  return { memoryBytes, memoryMs };
}
