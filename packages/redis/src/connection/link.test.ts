import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { describe, expect, onTestFinished, test } from "vitest";

import { COUNT, ECHO, eventually, failure, LIBRARIES, LONG_MS, open, turned } from "./lab.test-help.ts";
import { script } from "./scripts.ts";

const redis = useRedis();

describe.each(LIBRARIES)("over %s", (_, library) => {
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

  test("a blocked event loop is not a slow Redis", async () => {
    const { link, key } = open(library, { url: redis.url, decisionTimeout: 50 });
    await turned(link, true);
    await link.run(ECHO, [key], ["known"], LONG_MS);
    const replies = [1, 2, 3].map((i) => link.run(ECHO, [key], [i]));
    await new Promise(setImmediate); // they are written
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300); // Redis answers meanwhile, and nobody reads
    expect(await Promise.all(replies)).toEqual([1, 2, 3].map((i) => [String(i), 7, 0]));
    expect(link.up).toBe(true);
  });

  test("only so many wait at once, those included that nobody waits for any more", async () => {
    const { server } = redis;
    const { link, key } = open(library, { url: redis.url, decisionTimeout: 50, maxInFlight: 2 });
    await turned(link, true);
    await link.run(COUNT, [key], [0], LONG_MS); // known to the server from now on
    server.freeze();
    onTestFinished(() => server.thaw());
    const waiting = [1, 2].map(() => failure(link.run(COUNT, [key], [1])));
    const full = { unknown: false, message: "2 commands wait for Redis already" };
    expect(await failure(link.run(COUNT, [key], [1]))).toMatchObject(full);
    await Promise.all(waiting);
    expect(await failure(link.run(COUNT, [key], [1]))).toMatchObject(full);
    const vital = link.run(script("beat", COUNT.lua, { vital: true }), [key], [0], LONG_MS);
    server.thaw();
    const room = async (): Promise<boolean> => {
      const reply = await link.run(COUNT, [key], [0], LONG_MS).catch(() => undefined);
      return reply === 2;
    };
    expect(await vital).toBe(2);
    await eventually(room);
    expect(link.up).toBe(true);
  });
});
