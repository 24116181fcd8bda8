import { type Runtime, systemRuntime } from "@breakwater/core";
import { Cluster, Redis } from "ioredis";
import { Cluster as Cluster5, Redis as Redis5 } from "ioredis5";
import { onTestFinished } from "vitest";

import type { RedisLink } from "../connection/create-link.ts";
import { openLink } from "../connection/open-link.ts";
import type { RedisLibrary } from "../connection/redis-client.ts";
import { createScope } from "../keys.ts";
import { readRedisOptions } from "../options.ts";
import { createRedisCache, type RedisCache, type RedisCacheOptions } from "./create-cache.ts";

export const majors: readonly { readonly major: number; readonly library: RedisLibrary }[] = [
  { major: 6, library: { Cluster, Redis } },
  { major: 5, library: { Cluster: Cluster5, Redis: Redis5 } },
];

export interface Lab {
  readonly link: RedisLink;
  readonly cache: RedisCache;
  close(): Promise<void>;
}

export interface LabOptions extends Partial<Omit<RedisCacheOptions, "link" | "scope">> {
  readonly scope?: string;
  readonly library?: RedisLibrary;
  readonly runtime?: Runtime;
}

let count = 0;

/** A scope that no other test has. */
export function someScope(): string {
  return `c${process.pid}-${count++}-${process.hrtime.bigint().toString(36)}`;
}

/** A cache as one process has it, connected. */
export async function openLab(
  where: string | { readonly scope: string; readonly cluster: readonly string[] },
  {
    scope: name = typeof where === "string" ? someScope() : where.scope,
    library,
    runtime,
    ...options
  }: LabOptions = {},
): Promise<Lab> {
  const scope = createScope(name);
  // Patient: a busy machine is no outage.
  const at = typeof where === "string" ? { url: where } : where;
  const config = readRedisOptions({ ...at, scope: name, decisionTimeout: "1s", ...(runtime && { runtime }) });
  const link = openLink(config, scope, library);
  const cache = createRedisCache({
    link,
    scope,
    instance: `${process.pid}-${count++}`,
    leaseMs: 1_000,
    memoryBytes: 1024 * 1024,
    memoryMs: 5_000,
    ...options,
  });
  await until(() => link.up);
  return {
    link,
    cache,
    async close() {
      cache.close();
      await link.close();
    },
  };
}

/** As `openLab`, closed when the test is over. */
export async function lab(where: Parameters<typeof openLab>[0], options?: LabOptions): Promise<Lab> {
  const opened = await openLab(where, options);
  onTestFinished(() => opened.close());
  return opened;
}

export function pass(ms: number): Promise<void> {
  return new Promise((resolve) => systemRuntime().setTimer(ms, resolve));
}

/** Looks again and again, but not for ever. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let looks = 0; looks < 2_000; looks++) {
    if (await holds()) return;
    await pass(5);
  }
  throw new Error(`this never came to hold: ${holds.toString()}`);
}
