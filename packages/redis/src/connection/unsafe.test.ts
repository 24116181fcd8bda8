import { ConfigError, systemRuntime } from "@breakwater/core";
import * as ioredis from "ioredis";
import * as ioredis5 from "ioredis5";
import { describe, expect, test } from "vitest";

import { makeClient } from "./client.ts";
import type { RedisClient, RedisLibrary } from "./redis-client.ts";
import { checkClient, type UnsafeOption } from "./unsafe.ts";

const libraries: readonly [string, RedisLibrary][] = [
  ["ioredis 5", ioredis5],
  ["ioredis 6", ioredis],
];

const SAFE = {
  lazyConnect: true,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  socketTimeout: 1_000,
  keepAlive: 5_000,
  reconnectOnError: () => true,
};

const NODES = [{ host: "127.0.0.1", port: 1 }];

const SAFE_CLUSTER = { lazyConnect: true, enableOfflineQueue: false, retryDelayOnFailover: 0 };

/** Which options are named as dangerous. */
function named(client: RedisClient, allowed: readonly UnsafeOption[] = []): string[] {
  try {
    checkClient(client, allowed);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return [...(error as Error).message.matchAll(/"(\w+)"(?=[^[]*\] \}\.$)/g)].map(([, name]) =>
      String(name),
    );
  }
}

describe.each(libraries)("%s", (_, library) => {
  const { Redis, Cluster } = library;

  test("clients that we make are safe, and nothing about them is poor", () => {
    const url = makeClient(library, { url: "rediss://user:secret@127.0.0.1:1/3" }, systemRuntime());
    expect(checkClient(url, [])).toEqual([]);
    expect(url.options).toMatchObject({
      username: "user",
      password: "secret",
      db: 3,
      host: "127.0.0.1",
      port: 1,
    });
    expect((url.options as { tls?: unknown }).tls).toBeTruthy();
    const sentinels = { sentinels: NODES, name: "primary" };
    expect(checkClient(makeClient(library, { redis: sentinels }, systemRuntime()), [])).toEqual([]);
    const cluster = makeClient(library, { cluster: NODES, redis: { password: "secret" } }, systemRuntime());
    expect(checkClient(cluster, [])).toEqual([]);
    expect(cluster.options).toMatchObject({ redisOptions: { password: "secret", maxRetriesPerRequest: 0 } });
    for (const client of [url, cluster]) expect(client.status).toBe("wait"); // until the link wants it
  });

  test("one that is made with dangerous options is named as well", () => {
    const url = "redis://127.0.0.1:1?maxRetriesPerRequest=5";
    expect(named(makeClient(library, { url }, systemRuntime()))).toContain("maxRetriesPerRequest");
    const redis = { enableOfflineQueue: true };
    expect(named(makeClient(library, { url: "redis://127.0.0.1:1", redis }, systemRuntime()))).toEqual([
      "enableOfflineQueue",
    ]);
  });

  test("the defaults of ioredis are dangerous, and it is said how, and what to write", () => {
    const client = new Redis({ lazyConnect: true });
    expect(named(client)).toEqual([
      "maxRetriesPerRequest",
      "autoResendUnfulfilledCommands",
      "enableOfflineQueue",
    ]);
    expect(() => checkClient(client, [])).toThrow(/maxRetriesPerRequest is 20: with Redis down .* 73 s/);
    expect(() => checkClient(client, [])).toThrow(
      /\{ maxRetriesPerRequest: 0, .*enableOfflineQueue: false \}/,
    );
    expect(() => checkClient(client, [])).toThrow(/let redisStore\(url\) make one/);
  });

  test("what is dangerous is accepted one by one", () => {
    const client = new Redis({ ...SAFE, maxRetriesPerRequest: null });
    expect(named(client)).toEqual(["maxRetriesPerRequest", "autoResendUnfulfilledCommands"]);
    expect(named(client, ["maxRetriesPerRequest"])).toEqual(["autoResendUnfulfilledCommands"]);
    expect(checkClient(client, ["maxRetriesPerRequest", "autoResendUnfulfilledCommands"])).toEqual([]);
  });

  test("a client that sends nothing again is safe", () => {
    expect(checkClient(new Redis(SAFE), [])).toEqual([]);
  });

  test.each([
    [{ enableOfflineQueue: true }, ["enableOfflineQueue"]],
    [{ retryStrategy: null }, ["retryStrategy"]],
    [{ readOnly: true }, ["scaleReads"]],
  ])("%j is named", (wrong, names) => {
    expect(named(new Redis({ ...SAFE, ...wrong }))).toEqual(names);
  });

  test.each([
    [{ enableAutoPipelining: true }, /enableAutoPipelining/],
    [{ socketTimeout: undefined }, /socketTimeout/],
    [{ keepAlive: 0 }, /keepAlive/],
    [{ reconnectOnError: null }, /reconnectOnError/],
  ])("%j is hinted at", (poor, says) => {
    expect(checkClient(new Redis({ ...SAFE, ...poor }), [])).toEqual([expect.stringMatching(says)]);
  });

  test("numbers as strings cannot be accepted", () => {
    expect(() => checkClient(new Redis({ ...SAFE, stringNumbers: true }), [])).toThrow(/stringNumbers/);
  });

  test.each([
    [{ enableOfflineQueue: true }, ["enableOfflineQueue"]],
    [{ redisOptions: { enableOfflineQueue: false } }, ["enableOfflineQueue"]],
    [{ retryDelayOnFailover: 100 }, ["retryDelayOnFailover"]],
    [{ scaleReads: "slave" }, ["scaleReads"]],
    [{ clusterRetryStrategy: null }, ["retryStrategy"]],
    [{ clusterNodeRetryStrategy: (): number => 10 }, ["maxRetriesPerRequest"]],
    [{ clusterNodeRetryStrategy: (): number => 10, redisOptions: { maxRetriesPerRequest: 0 } }, []],
  ])("of a cluster, %j: %j", (wrong, names) => {
    expect(named(new Cluster(NODES, { ...SAFE_CLUSTER, ...wrong }))).toEqual(names);
  });
});
