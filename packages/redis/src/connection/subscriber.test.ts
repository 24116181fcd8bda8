import { startProxy, startRedis } from "@breakwater-internal/redis-server";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { type Runtime, systemRuntime } from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import { describe, expect, onTestFinished, test } from "vitest";

import { createScope } from "../keys.ts";
import type { RedisLink } from "./create-link.ts";
import { createDeadlines } from "./deadlines.ts";
import { eventually, LIBRARIES, LONG_MS, open } from "./lab.test-help.ts";
import { createSubscriber } from "./subscriber.ts";

const redis = useRedis();

interface Heard {
  readonly messages: string[];
  /** How often it began to hear. */
  begun: number;
  /** Resolves when it has heard so much. */
  until(holds: () => boolean): Promise<void>;
  end(): void;
}

function listen(link: RedisLink, channel: string): Heard {
  let tell = (): void => {};
  const heard: Heard = {
    messages: [],
    begun: 0,
    async until(holds) {
      while (!holds()) await new Promise<void>((resolve) => (tell = resolve));
    },
    end: link.subscribe(
      channel,
      (message) => {
        heard.messages.push(message);
        tell();
      },
      () => {
        heard.begun++;
        tell();
      },
    ),
  };
  return heard;
}

const channelOf = (scope: string, name = "c"): string => createScope(scope).channel(name);

describe.each(LIBRARIES)("over %s", (_, library) => {
  test("it hears what is published on its channels after it began, in order", async () => {
    const { link, scope } = open(library, { url: redis.url, decisionTimeout: LONG_MS });
    const one = listen(link, channelOf(scope, "one"));
    const two = listen(link, channelOf(scope, "two"));
    await one.until(() => one.begun === 1);
    await two.until(() => two.begun === 1);
    for (const [name, text] of [
      ["one", "a"],
      ["two", "b"],
      ["three", "c"],
      ["one", "d"],
    ] as const)
      await redis.cli("PUBLISH", channelOf(scope, name), text);
    await one.until(() => one.messages.length === 2);
    expect([one.messages, two.messages]).toEqual([["a", "d"], ["b"]]);
  });

  test("a second hearer is told when it begins, and the first stays when it leaves", async () => {
    const { link, scope } = open(library, { url: redis.url, decisionTimeout: LONG_MS });
    const first = listen(link, channelOf(scope));
    await first.until(() => first.begun === 1);
    const second = listen(link, channelOf(scope));
    await second.until(() => second.begun === 1);
    second.end();
    second.end();
    await redis.cli("PUBLISH", channelOf(scope), "a");
    await first.until(() => first.messages.length === 1);
    expect(second.messages).toEqual([]);
  });

  test("the connection is there while somebody listens", async () => {
    const proxy = await startProxy(redis.port);
    onTestFinished(() => proxy.close());
    const { link, scope } = open(library, { url: proxy.url, decisionTimeout: LONG_MS });
    const connections = async (count: number): Promise<void> => {
      await eventually(() => proxy.connections === count);
    };
    await connections(1);
    for (let round = 0; round < 2; round++) {
      const [one, two] = [listen(link, channelOf(scope, "one")), listen(link, channelOf(scope, "two"))];
      await one.until(() => one.begun === 1);
      await two.until(() => two.begun === 1);
      one.end();
      await redis.cli("PUBLISH", channelOf(scope, "one"), "a");
      await redis.cli("PUBLISH", channelOf(scope, "two"), "b");
      await two.until(() => two.messages.length === 1);
      expect(one.messages).toEqual([]);
      await connections(2);
      two.end();
      await connections(1);
    }
  });

  test("after Redis was away it hears again, and is told so", async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const { link, scope } = open(library, { url: server.url, decisionTimeout: LONG_MS });
    const heard = listen(link, channelOf(scope));
    await heard.until(() => heard.begun === 1);
    await server.restart();
    await heard.until(() => heard.begun === 2);
    await server.cli("PUBLISH", channelOf(scope), "a");
    await heard.until(() => heard.messages.length === 1);
  });

  test("whoever hears badly does not keep others from hearing", async () => {
    const { link, scope } = open(library, { url: redis.url, decisionTimeout: LONG_MS });
    const bad = (): never => {
      throw new Error("bad");
    };
    link.subscribe(channelOf(scope), bad, bad);
    const good = listen(link, channelOf(scope));
    await good.until(() => good.begun === 1);
    await redis.cli("PUBLISH", channelOf(scope), "a");
    await good.until(() => good.messages.length === 1);
  });

  test("a connection that is half open is noticed though nothing is said on it", async () => {
    const proxy = await startProxy(redis.port);
    onTestFinished(() => proxy.close());
    const system = systemRuntime();
    const hasty: Runtime = { ...system, setTimer: (ms, f) => system.setTimer(ms / 50, f) };
    const { link, scope } = open(library, { url: proxy.url, decisionTimeout: LONG_MS, runtime: hasty });
    const heard = listen(link, channelOf(scope));
    await heard.until(() => heard.begun === 1);
    const before = proxy.connections;
    proxy.stall(true);
    await eventually(() => proxy.connections > before); // one is stalled, another is tried
    proxy.stall(false);
    await heard.until(() => heard.begun >= 2);
    await redis.cli("PUBLISH", channelOf(scope), "a");
    await heard.until(() => heard.messages.length === 1);
  });
});

/** One that finds nobody to connect to, and how often it has tried. */
function lonely(runtime: Runtime) {
  const tries = { count: 0 };
  const make = (): undefined => {
    tries.count++;
  };
  return { tries, subscriber: createSubscriber({ runtime, deadlines: createDeadlines(runtime), make }) };
}

test("who goes on after the end does not connect again", () => {
  const { tries, subscriber } = lonely(systemRuntime());
  subscriber.close();
  subscriber.subscribe("c", () => {})();
  subscriber.subscribe("c", () => {});
  expect(tries.count).toBe(0);
});

test("tries to connect become few where it is in vain, and never stop", async () => {
  const clock = createTestClock();
  const { tries, subscriber } = lonely(clock);
  subscriber.subscribe("c", () => {});
  await clock.advance(10_000);
  expect(tries.count).toBeLessThan(25);
  await clock.advance(1_000);
  expect(tries.count).toBeGreaterThan(10);
  subscriber.close();
  expect(clock.pending).toBe(0);
});
