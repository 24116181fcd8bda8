import { systemRuntime } from "@breakwater/core";
import * as ioredis from "ioredis";
import * as ioredis5 from "ioredis5";
import { onTestFinished } from "vitest";

import { createScope } from "../keys.ts";
import { readRedisOptions, type RedisStoreOptions } from "../options.ts";
import type { RedisLink } from "./create-link.ts";
import { openLink } from "./open-link.ts";
import type { RedisLibrary } from "./redis-client.ts";
import { script } from "./scripts.ts";

export const LIBRARIES: readonly [string, RedisLibrary][] = [
  ["ioredis 5", ioredis5],
  ["ioredis 6", ioredis],
];

/** Long enough for a machine that is busy with other things. */
export const LONG_MS = 5_000;

export const ECHO = script("echo", "return { ARGV[1], 7, redis.call('EXISTS', KEYS[1]) }");

/** Counts what was really done, in a key that is `KEYS[1]`. */
export const COUNT = script("count", "return redis.call('INCRBY', KEYS[1], ARGV[1])");

let scopes = 0;

/** A link of its own scope, closed after the test. */
export function open(
  library: RedisLibrary,
  options: RedisStoreOptions,
): { readonly link: RedisLink; readonly key: string; readonly scope: string } {
  const scope = options.scope ?? `link-${process.pid}-${scopes++}`;
  const link = openLink(readRedisOptions({ ...options, scope }), createScope(scope), library);
  onTestFinished(() => link.close());
  return { link, scope, key: createScope(scope).key("k") };
}

/** Resolves when the link is up, or is not. */
export function turned(link: RedisLink, up: boolean): Promise<void> {
  if (link.up === up) return Promise.resolve();
  return new Promise((resolve) => {
    const end = link.onChange((now) => {
      if (now !== up) return;
      end();
      resolve();
    });
  });
}

/** Asks again and again; the test's own timeout is its bound. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise<void>((resolve) => void systemRuntime().setTimer(5, resolve));
}

/** What a promise was rejected with. */
export async function failure(
  promise: Promise<unknown>,
): Promise<{ message: string; unknown: boolean; cause?: unknown }> {
  try {
    await promise;
  } catch (error) {
    return error as never;
  }
  throw new Error("it was not rejected");
}
