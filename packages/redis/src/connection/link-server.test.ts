import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

import { startRedis } from "@breakwater-internal/redis-server";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { describe, expect, onTestFinished, test } from "vitest";

import { COUNT, eventually, failure, LIBRARIES, LONG_MS, open, turned } from "./lab.test-help.ts";

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

  test("a database that cannot be had is told, since ioredis goes on in another", async () => {
    const { link } = open(library, { url: `${redis.url}/99`, decisionTimeout: LONG_MS });
    await turned(link, true);
    expect(link.hints).toEqual([
      "the database was not selected, and 0 is used: ERR DB index is out of range",
    ]);
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
    expect(link.hints).toEqual([]);
    const foreign = (): Promise<unknown> =>
      failure(link.command("SET", ["foreign", "1"], { timeoutMs: LONG_MS }));
    for (let i = 0; i < 2; i++) {
      expect(await foreign()).toMatchObject({ unknown: false, message: expect.stringContaining("NOPERM") });
    }
    expect(link.up).toBe(true);
    expect(link.hints).toEqual([expect.stringMatching(/^a command failed: Redis says: NOPERM/)]);
  });

  test("a script that was forgotten, of which this is learned too late, is nothing to be told of", async () => {
    const { link, key } = open(library, { url: redis.url });
    await turned(link, true);
    await link.run(COUNT, [key], [1], LONG_MS);
    await redis.cli("SCRIPT", "FLUSH");
    redis.server.freeze();
    const late = failure(link.run(COUNT, [key], [1], 20));
    expect(await late).toMatchObject({ unknown: true });
    redis.server.thaw();
    expect(await link.run(COUNT, [key], [1], LONG_MS)).toBe(2);
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
});
