import type { Cluster as Cluster6, Redis as Redis6 } from "ioredis";
import type { Cluster as Cluster5, Redis as Redis5 } from "ioredis5";

import type { RedisClient } from "./redis-client.ts";

declare const clients: readonly [Redis5, Redis6, Cluster5, Cluster6];

export const taken: readonly RedisClient[] = clients;

// @ts-expect-error -- a client of another kind is none of ours
export const refused: RedisClient = new Map<string, string>();
