import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";

import { createGather } from "./gather.ts";
import type { RedisClient } from "./redis-client.ts";

const redis = useRedis();

/** A client that is connected, and how often its stream was held back since. */
async function connected() {
  const client = new Redis(redis.url, { lazyConnect: true });
  onTestFinished(() => client.disconnect());
  await client.connect();
  let corked = 0;
  let released = 0;
  const { stream } = client;
  const [cork, uncork] = [stream.cork.bind(stream), stream.uncork.bind(stream)];
  stream.cork = () => (corked++, cork());
  stream.uncork = () => (released++, uncork());
  return { client, counts: () => ({ corked, released, held: stream.writableCorked }) };
}

describe("what is sent in one turn", () => {
  it("leaves together when the turn ends, and is answered in order", async () => {
    const { client, counts } = await connected();
    const gather = createGather(client);
    const replies = Array.from({ length: 20 }, async (_, n) => {
      await Promise.resolve(); // the promises of a turn belong to it
      gather();
      return client.echo(String(n));
    });
    expect(await Promise.all(replies)).toEqual(Array.from({ length: 20 }, (_, n) => String(n)));
    expect(counts()).toEqual({ corked: 1, released: 1, held: 0 });
    gather();
    expect(await client.ping()).toBe("PONG");
    expect(counts()).toEqual({ corked: 2, released: 2, held: 0 });
  });

  it("goes out on the next connection when this one is lost meanwhile", async () => {
    const { client } = await connected();
    const gather = createGather(client);
    gather();
    client.disconnect(true);
    await new Promise((resolve) => client.once("ready", resolve));
    gather();
    expect(await client.ping()).toBe("PONG");
  });

  it("goes as before where there is nothing to hold back", () => {
    const none = createGather({} as RedisClient);
    const odd = createGather({ stream: {} } as RedisClient);
    for (const gather of [none, odd]) expect(gather).not.toThrow();
  });
});
