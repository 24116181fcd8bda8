import { afterAll, beforeAll, beforeEach } from "vitest";

import { redisIsUnwanted } from "../../scripts/find-redis.mjs";
import { type RedisCluster, startCluster } from "./cluster.ts";
import { type RedisOptions, type RedisServer, startRedis } from "./redis.ts";

export { until } from "./until.ts";

/** What a test file may do with the server of `useRedis` once its tests run. */
export interface RedisInTests extends Pick<RedisServer, "port" | "url" | "cli"> {
  /** All that can be done to it. */
  readonly server: RedisServer;
}

const NOWHERE = 1;

/**
 * A Redis for the tests of this file, or of the `describe` that it is called in: started before the first, stopped after
 * the last. Where there is none the tests fail with what to do; with BREAKWATER_TEST_REDIS=none they are skipped.
 *
 * @example
 * const redis = useRedis();
 * test("…", async () => expect(await redis.cli("PING")).toBe("PONG"));
 */
export function useRedis(options: RedisOptions = {}): RedisInTests {
  let running: RedisServer | undefined;
  const server = (): RedisServer => {
    if (running === undefined) throw new Error("useRedis: the server runs while tests do, not before.");
    return running;
  };

  if (redisIsUnwanted()) {
    console.warn("BREAKWATER_TEST_REDIS=none: the tests of this file that need a Redis are skipped.");
    beforeEach(({ skip }) => skip("BREAKWATER_TEST_REDIS=none"));
  } else {
    // The first one on a machine is fetched; `npm test` has done that already.
    beforeAll(async () => void (running = await startRedis(options)), 180_000);
    afterAll(() => running?.stop());
  }

  return {
    get server() {
      return server();
    },
    get port() {
      return redisIsUnwanted() ? NOWHERE : server().port;
    },
    get url() {
      return `redis://127.0.0.1:${this.port}`;
    },
    cli: (...parts) => server().cli(...parts),
  };
}

/** The same with a cluster of three masters, each with a third of the slots. */
export function useCluster(): Pick<RedisCluster, "nodes"> {
  let running: RedisCluster | undefined;
  if (redisIsUnwanted()) {
    console.warn("BREAKWATER_TEST_REDIS=none: the tests of this file that need a cluster are skipped.");
    beforeEach(({ skip }) => skip("BREAKWATER_TEST_REDIS=none"));
  } else {
    beforeAll(async () => void (running = await startCluster()), 180_000);
    afterAll(() => running?.stop());
  }
  return {
    get nodes() {
      if (running === undefined) throw new Error("useCluster: the servers run while tests do, not before.");
      return running.nodes;
    },
  };
}
