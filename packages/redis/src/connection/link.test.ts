import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

import { startProxy, startRedis } from "@breakwater-internal/redis-server";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { systemRuntime } from "@breakwater/core";
import { describe, expect, onTestFinished, test } from "vitest";

import { COUNT, ECHO, eventually, failure, LIBRARIES, LONG_MS, open, turned } from "./lab.test-help.ts";

const redis = useRedis({ args: ["--enable-debug-command", "yes"] });

/** Says OK to all that it is told, and that it is of another time. */
async function startOld(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const info = "redis_version:6.2.14\r\n";
  const replies: Readonly<Record<string, string>> = {
    hello: "-NOPROTO unsupported protocol version\r\n",
    info: `$${info.length}\r\n${info}\r\n`,
    config: "*0\r\n",
  };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.on("data", (text) => {
      for (const [, name] of text.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g))
        socket.write(replies[String(name).toLowerCase()] ?? "+OK\r\n");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `redis://127.0.0.1:${port}`,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

describe.each(LIBRARIES)("over %s", (_, library) => {
  const { Redis, Cluster } = library;
  const safe = { maxRetriesPerRequest: 0, enableOfflineQueue: false };

  test("scripts and commands are asked, and replies have one shape", async () => {
    const { link, key } = open(library, { url: redis.url, decisionTimeout: LONG_MS });
    expect(link.up).toBe(false);
    await turned(link, true);
    expect(link.reason).toBeUndefined();
    expect(await link.run(ECHO, [key], [4_503_599_627_370_495])).toEqual(["4503599627370495", 7, 0]);
    expect(await link.command("SET", [key, "a", "PX", 10_000])).toBe("OK");
    expect(await link.run(ECHO, [key], ["a"])).toEqual(["a", 7, 1]);
    expect(await link.command("CONFIG", ["GET", "maxmemory-policy"])).toEqual([
      "maxmemory-policy",
      "noeviction",
    ]);
  });

  test("bytes come back as they were", async () => {
    const { link, key } = open(library, { url: redis.url, decisionTimeout: LONG_MS });
    await turned(link, true);
    const bytes = Uint8Array.from({ length: 300 }, (__, i) => i);
    await link.command("SET", [key, bytes.subarray(10), "PX", 10_000]);
    expect(await link.command("GET", [key], { binary: true })).toEqual(Buffer.from(bytes.subarray(10)));
    const [echoed] = (await link.run(ECHO, [key], [bytes.subarray(10)], LONG_MS, true)) as unknown[];
    expect(echoed).toEqual(Buffer.from(bytes.subarray(10)));
  });

  test("a script that the server has forgotten is sent again with its text", async () => {
    const { link, key } = open(library, { url: redis.url, decisionTimeout: LONG_MS });
    await turned(link, true);
    for (let i = 1; i <= 3; i++) {
      await redis.cli("SCRIPT", "FLUSH");
      expect(await link.run(COUNT, [key], [1])).toBe(i);
    }
  });

  test("many at once get each its own reply", async () => {
    const { link, key } = open(library, { url: redis.url, decisionTimeout: LONG_MS });
    await turned(link, true);
    const replies = await Promise.all(Array.from({ length: 500 }, (__, i) => link.run(ECHO, [key], [i])));
    expect(replies.map((reply) => Number((reply as unknown[])[0]))).toEqual(replies.map((__, i) => i));
  });

  test("a script that is wrong fails with what Redis says, and Redis is not thought sick for it", async () => {
    const { link, key } = open(library, { url: redis.url, decisionTimeout: LONG_MS });
    await turned(link, true);
    await redis.cli("SET", key, "not a number", "PX", 10_000);
    for (let i = 0; i < 5; i++) {
      const error = await failure(link.run(COUNT, [key], ["secret"]));
      expect(error).toMatchObject({
        unknown: true,
        message: expect.stringMatching(/^Redis says: ERR value is not/),
      });
      expect(JSON.stringify(Object.getOwnPropertyDescriptors(error.cause))).not.toContain("secret");
    }
    expect(link.up).toBe(true);
  });

  test("nothing is sent before there is a connection, and what is wrong is said", async () => {
    const { link, key } = open(library, { url: "redis://127.0.0.1:1", decisionTimeout: LONG_MS });
    expect(await failure(link.run(COUNT, [key], [1]))).toMatchObject({
      unknown: false,
      message: "Redis is not connected",
    });
    await eventually(() => link.reason?.cause !== undefined);
    expect(String(link.reason?.cause)).toContain("ECONNREFUSED");
    expect(link.up).toBe(false);
  });

  test("while Redis is frozen nothing waits longer than it may, and soon nothing waits at all", async () => {
    const { server } = redis;
    const { link, key } = open(library, { url: redis.url, decisionTimeout: 50 });
    await turned(link, true);
    server.freeze();
    onTestFinished(() => server.thaw());
    const errors = await Promise.all([1, 2, 3].map(() => failure(link.run(COUNT, [key], [1]))));
    expect(errors).toEqual(
      errors.map(() =>
        expect.objectContaining({ unknown: true, message: "Redis did not answer within 50 ms" }),
      ),
    );
    expect(link.up).toBe(false);
    expect(await failure(link.run(COUNT, [key], [1]))).toMatchObject({ unknown: false, cause: errors[2] });
    server.thaw();
    await turned(link, true);
    // What was asked before has been done, as unknown says; nothing was asked twice.
    expect(await link.run(COUNT, [key], [0], LONG_MS)).toBe(3);
  });

  test("what waits when Redis dies is unknown, and a new server is used at once", async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const { link, key } = open(library, { url: server.url, decisionTimeout: LONG_MS });
    await turned(link, true);
    await link.run(COUNT, [key], [1]);
    server.freeze();
    const waiting = failure(link.run(COUNT, [key], [1]));
    await server.kill();
    expect(await waiting).toMatchObject({ unknown: true });
    expect(link.up).toBe(false);
    await server.restart();
    await turned(link, true);
    expect(await link.run(COUNT, [key], [1])).toBe(1);
  });

  test("a client of its own that has given up is connected again", async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const { link } = open(library, { url: server.url, redis: { retryStrategy: () => null } });
    await turned(link, true);
    await server.restart();
    await turned(link, false);
    await turned(link, true);
  });

  test("a server that is still reading its data is left alone until it has", async () => {
    const { link, key } = open(library, { url: redis.url, decisionTimeout: LONG_MS });
    await turned(link, true);
    await redis.cli("DEBUG", "POPULATE", 1_000, key);
    await redis.cli("CONFIG", "SET", "key-load-delay", 500, "loading-process-events-interval-bytes", 1024);
    const reading = redis.cli("DEBUG", "RELOAD");
    await eventually(async () => {
      const error = await link.run(COUNT, [key], [1]).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      return /LOADING/.test(String(error));
    });
    await eventually(() => !link.up);
    expect(await reading).toBe("OK");
    await turned(link, true);
    await redis.cli("FLUSHALL");
  });

  test("a command whose reply was lost is not sent again", async () => {
    const proxy = await startProxy(redis.port);
    onTestFinished(() => proxy.close());
    const { link, key } = open(library, { url: proxy.url, decisionTimeout: 500 });
    await turned(link, true);
    proxy.dropReplies(true);
    expect(await failure(link.run(COUNT, [key], [1]))).toMatchObject({ unknown: true });
    proxy.dropReplies(false); // and the connection is reset
    await turned(link, false);
    await turned(link, true);
    expect(await redis.cli("GET", key)).toBe("1");
  });

  test("a connection that is half open is given up, and another one is made", async () => {
    const proxy = await startProxy(redis.port);
    onTestFinished(() => proxy.close());
    const { link, key } = open(library, { url: proxy.url, decisionTimeout: 50 });
    await turned(link, true);
    proxy.stall(true);
    await Promise.all([1, 2, 3].map(() => failure(link.run(COUNT, [key], [1]))));
    expect(link.up).toBe(false);
    await eventually(() => proxy.connections === 2); // of which one is dead
    proxy.stall(false);
    await turned(link, true);
    expect(await link.run(ECHO, [key], ["x"], LONG_MS)).toEqual(["x", 7, 1]);
  });

  test("one late reply after a long quiet is not a dead connection", async () => {
    const proxy = await startProxy(redis.port);
    onTestFinished(() => proxy.close());
    const system = systemRuntime();
    let later = 0;
    const runtime = { ...system, now: () => system.now() + later };
    const { link, key } = open(library, { url: proxy.url, decisionTimeout: 50, runtime });
    await turned(link, true);
    await link.run(ECHO, [key], ["x"], LONG_MS);
    later += 3_600_000;
    proxy.latency(100);
    expect(await failure(link.run(ECHO, [key], ["x"]))).toMatchObject({ unknown: true });
    expect(link.up).toBe(true);
    expect(await link.run(ECHO, [key], ["y"], LONG_MS)).toEqual(["y", 7, 0]);
  });

  test("a reply that breaks off in the middle is no reply", async () => {
    const proxy = await startProxy(redis.port);
    onTestFinished(() => proxy.close());
    const { link, key } = open(library, { url: proxy.url, decisionTimeout: LONG_MS });
    await turned(link, true);
    proxy.cutNextReply(3);
    expect(await failure(link.run(ECHO, [key], ["x"]))).toMatchObject({ unknown: true });
    await turned(link, true);
    expect(await link.run(ECHO, [key], ["y"])).toEqual(["y", 7, 0]);
  });

  test("a blocked event loop is not a slow Redis", async () => {
    const { link, key } = open(library, { url: redis.url, decisionTimeout: 50 });
    await turned(link, true);
    await link.run(ECHO, [key], ["known"], LONG_MS);
    const replies = [1, 2, 3].map((i) => link.run(ECHO, [key], [i]));
    await new Promise(setImmediate); // they are written
    const end = performance.now() + 200;
    while (performance.now() < end);
    expect(await Promise.all(replies)).toEqual([1, 2, 3].map((i) => [String(i), 7, 0]));
    expect(link.up).toBe(true);
  });

  test("only so many wait at once, those included that nobody waits for any more", async () => {
    const { server } = redis;
    const { link, key } = open(library, { url: redis.url, decisionTimeout: 50, maxInFlight: 2 });
    await turned(link, true);
    server.freeze();
    onTestFinished(() => server.thaw());
    const waiting = [1, 2].map(() => failure(link.run(COUNT, [key], [1])));
    const full = { unknown: false, message: "2 commands wait for Redis already" };
    expect(await failure(link.run(COUNT, [key], [1]))).toMatchObject(full);
    await Promise.all(waiting);
    expect(await failure(link.run(COUNT, [key], [1]))).toMatchObject(full);
    server.thaw();
    const room = async (): Promise<boolean> => {
      const reply = await link.run(COUNT, [key], [0], LONG_MS).catch(() => undefined);
      return reply === 2;
    };
    await eventually(room);
    expect(link.up).toBe(true);
  });

  test("a replica is not used until it is promoted", async () => {
    const replica = await startRedis({ replicaOf: redis.server });
    onTestFinished(() => replica.stop());
    const { link, key } = open(library, { url: replica.url, decisionTimeout: LONG_MS });
    await eventually(() => /READONLY/.test(String(link.reason?.cause)));
    expect(link.up).toBe(false);
    await replica.promote();
    await turned(link, true);
    expect(await link.run(COUNT, [key], [1])).toBe(1);
  });

  test("a server without memory is left alone until it has some", async () => {
    const { link, key } = open(library, { url: redis.url, decisionTimeout: LONG_MS });
    await turned(link, true);
    await redis.cli("CONFIG", "SET", "maxmemory", 1);
    onTestFinished(async () => void (await redis.cli("CONFIG", "SET", "maxmemory", 0)));
    for (let i = 0; i < 3; i++) {
      expect(await failure(link.run(COUNT, [key], [1]))).toMatchObject({
        unknown: false,
        message: expect.stringContaining("OOM"),
      });
    }
    expect(link.up).toBe(false);
    await redis.cli("CONFIG", "SET", "maxmemory", 0);
    await turned(link, true);
    expect(await link.run(COUNT, [key], [1])).toBe(1);
  });

  test("credentials come from the url or beside it, and wrong ones are said to be so", async () => {
    const server = await startRedis({ args: ["--user", "limits", "on", ">p/w", "~*", "&*", "+@all"] });
    onTestFinished(() => server.stop());
    const inUrl = open(library, { url: `redis://limits:p%2Fw@127.0.0.1:${server.port}/3` });
    const beside = open(library, { url: server.url, redis: { username: "limits", password: "p/w", db: 3 } });
    await Promise.all([turned(inUrl.link, true), turned(beside.link, true)]);
    const clients = String(await server.cli("CLIENT", "LIST"));
    expect(clients.match(/name=breakwater .*db=3 .*user=limits/g)).toHaveLength(2);
    const wrong = open(library, { url: `redis://limits:no@127.0.0.1:${server.port}` });
    await eventually(() => wrong.link.reason?.cause !== undefined);
    expect(String(wrong.link.reason?.cause)).toContain("WRONGPASS");
  });

  test("one that may only do what it must is enough, and what it cannot see is left out", async () => {
    const acl = [
      "limits",
      "on",
      "nopass",
      "~bw1:*",
      "&bw1:*",
      "+@scripting",
      "+@write",
      "+@read",
      "+@connection",
      "+info",
    ];
    const server = await startRedis({ args: ["--user", ...acl] });
    onTestFinished(() => server.stop());
    const { link, key } = open(library, { url: server.url, redis: { username: "limits", password: "x" } });
    await turned(link, true);
    expect(await link.run(COUNT, [key], [1], LONG_MS)).toBe(1);
    const foreign = failure(link.command("SET", ["foreign", "1"], { timeoutMs: LONG_MS }));
    expect(await foreign).toMatchObject({ unknown: false, message: expect.stringContaining("NOPERM") });
    expect(link.hints).toEqual([]);
  });

  test("an older server is not used, and it is said which it is", async () => {
    const server = await startOld();
    onTestFinished(server.close);
    const { link, key } = open(library, { url: server.url, decisionTimeout: LONG_MS });
    await eventually(() => link.reason?.cause !== undefined);
    expect(link.reason?.cause).toMatchObject({
      message: expect.stringMatching(/Redis 6\.2\.14.*7\.0 or later/),
    });
    expect(await failure(link.run(COUNT, [key], [1]))).toMatchObject({ unknown: false });
    expect(link.up).toBe(false);
  });

  test("a server that evicts is hinted at", async () => {
    const server = await startRedis({ args: ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"] });
    onTestFinished(() => server.stop());
    const { link } = open(library, { url: server.url, decisionTimeout: LONG_MS });
    expect(link.hints).toEqual([]);
    await turned(link, true);
    expect(link.hints).toEqual([expect.stringContaining("maxmemory-policy allkeys-lru")]);
  });

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
