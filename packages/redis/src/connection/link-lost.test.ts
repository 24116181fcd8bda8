import { startProxy, startRedis } from "@breakwater-internal/redis-server";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { systemRuntime } from "@breakwater/core";
import { describe, expect, onTestFinished, test } from "vitest";

import { COUNT, ECHO, eventually, failure, LIBRARIES, LONG_MS, open, turned } from "./lab.test-help.ts";
import { script } from "./scripts.ts";

const redis = useRedis();

describe.each(LIBRARIES)("over %s", (_, library) => {
  test("while Redis is frozen nothing waits longer than it may, and soon nothing waits at all", async () => {
    const { server } = redis;
    const { link, key } = open(library, { url: redis.url, decisionTimeout: 50 });
    await turned(link, true);
    await link.run(COUNT, [key], [0], LONG_MS); // known to the server from now on
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

  test("a Redis that is frozen for long is connected to anew, and used when it goes on", async () => {
    const { server } = redis;
    const { link, key } = open(library, { url: redis.url, decisionTimeout: 50 });
    await turned(link, true);
    server.freeze();
    onTestFinished(() => server.thaw());
    await Promise.all([1, 2, 3].map(() => failure(link.run(ECHO, [key], ["x"]))));
    await eventually(() => link.reason?.message === "Redis is not connected");
    server.thaw();
    await turned(link, true);
    expect(await link.run(ECHO, [key], ["x"], LONG_MS)).toEqual(["x", 7, 0]);
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

  test("a script may take longer the first time, so that no start looks like an outage", async () => {
    const proxy = await startProxy(redis.port);
    onTestFinished(() => proxy.close());
    const { link, key } = open(library, { url: proxy.url, decisionTimeout: 50 });
    await turned(link, true);
    proxy.latency(100);
    expect(await link.run(ECHO, [key], ["x"])).toEqual(["x", 7, 0]);
    expect(await failure(link.run(ECHO, [key], ["x"]))).toMatchObject({
      message: "Redis did not answer within 50 ms",
    });
    const other = script("slow", "return 1");
    expect(await link.run(other, [key], [])).toBe(1);
    expect(await failure(link.run(other, [key], []))).toMatchObject({ unknown: true });
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
});
