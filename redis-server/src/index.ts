export type { RedisCluster } from "./cluster.ts";
export { startCluster } from "./cluster.ts";
export type { Proxy } from "./proxy.ts";
export { startProxy } from "./proxy.ts";
export type { RedisOptions, RedisServer } from "./redis.ts";
export { startRedis } from "./redis.ts";
export type { Reply } from "./resp.ts";
