import { startProxy } from "@breakwater-internal/redis-server";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { describe, expect, onTestFinished, test } from "vitest";

import { createScope } from "../keys.ts";
import { COUNT, eventually, failure, LIBRARIES, LONG_MS, open, turned } from "./lab.test-help.ts";
import { script } from "./scripts.ts";

const redis = useRedis();

describe.each(LIBRARIES)("over %s", (_, library) => {
  const { Redis, Cluster } = library;
  const safe = { maxRetriesPerRequest: 0, enableOfflineQueue: false };

  test("a client that was given is connected, used and left open", async () => {
    const lazy = new Redis(redis.url, { ...safe, lazyConnect: true });
    onTestFinished(() => lazy.disconnect());
    const first = open(library, { client: lazy, decisionTimeout: LONG_MS });
    await turned(first.link, true);
    const listening = lazy as unknown as { listenerCount(event: string): number };
    const during = ["ready", "close", "end", "error"].map((event) => listening.listenerCount(event));
    expect(await first.link.run(COUNT, [first.key], [1])).toBe(1);
    await first.link.close();
    expect(await failure(first.link.run(COUNT, [first.key], [1]))).toMatchObject({
      message: "the store was closed",
    });
    const after = ["ready", "close", "end", "error"].map((event) => listening.listenerCount(event));
    expect(after).toEqual(during.map((count) => count - 1));
    const second = open(library, { client: lazy, decisionTimeout: LONG_MS }); // connected already
    await turned(second.link, true);
    expect(await lazy.call("GET", first.key)).toBe("1");
  });

  test("a client that was given and is ended is not the store's to connect, and it says so", async () => {
    const client = new Redis(redis.url, safe);
    onTestFinished(() => client.disconnect());
    const { link, key } = open(library, { client, decisionTimeout: LONG_MS });
    await turned(link, true);
    client.disconnect();
    await turned(link, false);
    await eventually(() => /has ended/.test(String(link.reason)));
    expect(await failure(link.run(COUNT, [key], [1]))).toMatchObject({ unknown: false });
    await client.connect();
    await turned(link, true);
    expect(await link.run(COUNT, [key], [1])).toBe(1);
  });

  test("the prefix of a client is before our keys, and not in what is published", async () => {
    const client = new Redis(redis.url, { ...safe, keyPrefix: "team{1}:" });
    onTestFinished(() => client.disconnect());
    const { link, key, scope } = open(library, { client, decisionTimeout: LONG_MS });
    await turned(link, true);
    const channel = createScope(scope).channel("c");
    const heard: string[] = [];
    await new Promise<void>(
      (resolve) => void link.subscribe(channel, (message) => heard.push(message), resolve),
    );
    expect(await link.run(COUNT, [key], [1])).toBe(1);
    expect(await redis.cli("GET", `team{1}:${key}`)).toBe("1");
    await link.run(script("tell", "return redis.call('PUBLISH', ARGV[1], 'x')"), [key], [channel]);
    await eventually(() => heard.length === 1);
  });

  test("a client with the defaults of ioredis is refused before it is used", () => {
    const dangerous = [
      new Redis({ lazyConnect: true }),
      new Cluster([{ host: "127.0.0.1", port: 1 }], { lazyConnect: true }),
    ];
    for (const client of dangerous) expect(() => open(library, { client })).toThrow(/is not safe for limits/);
  });

  test("its own client ends with it, and nothing of it is left", async () => {
    const proxy = await startProxy(redis.port);
    onTestFinished(() => proxy.close());
    const { link } = open(library, { url: proxy.url, decisionTimeout: LONG_MS });
    const began = new Promise<void>((resolve) => void link.subscribe("bw1:{x}:c", () => {}, resolve));
    await Promise.all([turned(link, true), began]);
    expect(proxy.connections).toBe(2);
    await link.close();
    await eventually(() => proxy.connections === 0);
    expect(link.up).toBe(false);
    await link.close();
  });
});
