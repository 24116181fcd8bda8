import { ConfigError, systemRuntime } from "@breakwater/core";
import { Redis } from "ioredis";
import { expect, test } from "vitest";

import { readRedisOptions, type RedisStoreOptions } from "./options.ts";

/** What a user of JavaScript may write. */
const read = (given: unknown): unknown => readRedisOptions(given as RedisStoreOptions);

test("a url is enough", () => {
  expect(readRedisOptions("redis://localhost:6379")).toEqual({
    client: undefined,
    target: { url: "redis://localhost:6379", redis: undefined },
    scope: "default",
    timeoutMs: 50,
    leaseMs: 15_000,
    instances: 1,
    maxInFlight: 1024,
    allowed: [],
    cache: { memoryBytes: 33_554_432, memoryMs: 5_000 },
    runtime: systemRuntime(),
  });
});

test("a client is known by what it can do", () => {
  const client = new Redis({ lazyConnect: true });
  expect(readRedisOptions(client).client).toBe(client);
  expect(readRedisOptions({ client, scope: "eu" })).toMatchObject({ client, scope: "eu" });
});

test("nodes of a cluster are addresses, and what their urls say of users and TLS is for all of them", () => {
  const cluster = ["rediss://us%40er:p%2Fw@10.0.0.1:7000", "rediss://us%40er:p%2Fw@[::1]"];
  expect(readRedisOptions({ cluster, redis: { connectTimeout: 900 } }).target).toEqual({
    cluster: [
      { host: "10.0.0.1", port: 7000 },
      { host: "::1", port: 6379 },
    ],
    redis: { username: "us@er", password: "p/w", tls: {}, connectTimeout: 900 },
  });
  expect(readRedisOptions({ cluster: [{ host: "a", port: 1 }] }).target).toEqual({
    cluster: [{ host: "a", port: 1 }],
    redis: {},
  });
});

test.each([
  [undefined, /an ioredis|a client of ioredis.*got undefined \(an environment variable that is not set\?\)/],
  [null, /got null/],
  ["", /url .*got an empty string/],
  [{}, /url, client, cluster and redis/],
  [{ url: undefined }, /url is undefined \(an environment variable that is not set\?\)/],
  [{ client: undefined }, /client is undefined/],
  [{ cluster: undefined, url: "redis://a" }, /cluster is undefined/],
  ["localhost:6379", /url must begin with "redis:\/\/"/],
  ["http://localhost", /url must begin with "redis:\/\/"/],
  ["6379", /is not a url/],
  ["redis://", /no host/],
  ["redis://localhost/abc", /must end with the number of a database/],
  ["redis://user:pass/word@localhost", /is not a url .* \/ is %2F/],
  ["redis://user:p@ss#word@localhost", /begins with #; .* %23/],
  [new URL("redis://localhost"), /url\.href/],
  [{ host: "localhost", port: 6379 }, /write \{ redis: \{ host, port \} \}/],
  [{ isOpen: false, sendCommand() {} }, /none of ioredis.* give it the url/],
  [{ url: 6379 }, /got a number/],
  [{ url: "redis://a", cluster: ["redis://b"] }, /url and cluster are both given/],
  [{ client: {} }, /client must be one of ioredis/],
  [{ client: new Redis({ lazyConnect: true }), redis: {} }, /redis is for a client that is made/],
  [{ cluster: [] }, /cluster must be a list/],
  [{ cluster: "redis://a" }, /cluster must be a list/],
  [{ cluster: ["a:1"] }, /cluster\[0\] must begin with/],
  [{ cluster: [{ host: "a" }] }, /cluster\[0\] must be a url or \{ host, port \}/],
  [{ cluster: ["redis://:x@a", "redis://:y@a"] }, /differ in user, password or TLS/],
  [{ url: "redis://a", redis: 1 }, /redis must be an object/],
  [{ url: "redis://a", scope: "" }, /scope must be a string that is not empty/],
  [{ url: "redis://a", decisionTimeout: 1 }, /decisionTimeout must be from 5 ms to 5000 ms, got 1 ms/],
  [{ url: "redis://a", decisionTimeout: "1m" }, /decisionTimeout must be from/],
  [{ url: "redis://a", lease: "10ms" }, /lease must be from 100 ms/],
  [{ url: "redis://a", instances: 0 }, /instances must be a whole number of at least 1/],
  [{ url: "redis://a", instances: Number.NaN }, /environment variable/],
  [{ url: "redis://a", maxInFlight: 0.5 }, /maxInFlight/],
  [{ url: "redis://a", allowUnsafe: ["stringNumbers"] }, /allowUnsafe must be a list of/],
  [{ url: "redis://a", prefix: "x" }, /unknown option "prefix"/],
])("%j is refused", (given, says) => {
  expect(() => read(given)).toThrow(ConfigError);
  expect(() => read(given)).toThrow(says);
});

test("a client that was closed is refused", async () => {
  const client = new Redis({ lazyConnect: true });
  client.disconnect();
  expect(() => read(client)).toThrow(/was closed/);
});

test.each([
  "secret:6379",
  "redis//user:secret@host",
  "rediss//:secret@a:x",
  "redis://:secret@a:99999",
  "redis://:secret@",
])("what is wrong with a url is said without it: %s", (url) => {
  expect.assertions(1);
  try {
    read({ url });
  } catch (error) {
    expect((error as Error).message).not.toContain("secret");
  }
});
