export type { RedisCacheTierOptions } from "./cache/options.ts";
export type { NodeAddress } from "./connection/client.ts";
export type { RedisClient } from "./connection/redis-client.ts";
export type { UnsafeOption } from "./connection/unsafe.ts";
export type { RedisStoreOptions } from "./options.ts";
export { type RedisStore, redisStore, type RedisStoreStatus } from "./store.ts";
