import {
  type Proxy,
  type RedisOptions,
  type RedisServer,
  startProxy,
  startRedis,
} from "@breakwater-internal/redis-server";

import { type Fleet, type FleetOptions, startFleet, type StartWorker } from "./fleet.ts";

/** Where a fault is played: what is started here ends with it. */
export interface Stage {
  redis(options?: RedisOptions): Promise<RedisServer>;
  proxy(server: RedisServer): Promise<Proxy>;
  fleet(options: FleetOptions): Promise<Fleet>;
  clear(): Promise<void>;
}

export function createStage(startWorker: StartWorker): Stage {
  const closers: (() => unknown)[] = [];
  return {
    async redis(options) {
      const server = await startRedis(options);
      closers.push(() => server.stop());
      return server;
    },
    async proxy(server) {
      const proxy = await startProxy(server.port);
      closers.push(() => proxy.close());
      return proxy;
    },
    async fleet(options) {
      const fleet = await startFleet(startWorker, options);
      closers.push(() => fleet.dispose());
      return fleet;
    },
    async clear() {
      for (const close of closers.splice(0).toReversed()) await close();
    },
  };
}
