import { readFileSync } from "node:fs";

import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { bulkhead, cache, circuitBreaker, createClient, rateLimit, retry, upstream } from "@breakwater/core";
import { expect, it, onTestFinished } from "vitest";

import { redisStore } from "../src/index.ts";

/** What the README says that a user of Redis needs. */
const RIGHTS = "~bw1:* &bw1:* +@scripting +@read +@write +@connection +@pubsub +info +time";

const redis = useRedis({ args: ["--user", "limits", "on", ">secret", ...RIGHTS.split(" ")] });

it("a user with the rights that the README names is enough for everything", async () => {
  expect(readFileSync(new URL("../README.md", import.meta.url), "utf8")).toContain(`\`${RIGHTS}\``);
  const store = redisStore({ url: `redis://limits:secret@127.0.0.1:${redis.port}`, decisionTimeout: "5s" });
  onTestFinished(() => store.close());
  let failures = 2;
  const ask = createClient(
    {
      upstream: upstream(async (question: string) => {
        if (failures-- > 0) throw new Error("busy");
        return `an answer to ${question}`;
      }),
      budget: { name: "fleet", store },
    },
    cache({ name: "answers", store, ttl: "1m", shared: true, key: (question) => question }),
    retry({ attempts: 3 }),
    circuitBreaker({ name: "upstream", store }),
    rateLimit({ name: "account", store, limits: { requests: { limit: 10, per: "1h" } } }),
    bulkhead({ name: "account", store, concurrency: 5, queue: 5 }),
  );
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask("why")));
  expect(new Set(answers)).toEqual(new Set(["an answer to why"]));
  expect(await ask("why")).toBe("an answer to why");
  await ask.close();
  const { cursor } = await store.told("chat", undefined);
  await store.put("chat", "host-1", "fine", 10_000);
  await store.tell("chat", "hello", 10_000);
  expect(await store.all("chat")).toEqual([{ instance: "host-1", report: "fine" }]);
  expect((await store.told("chat", cursor)).messages).toEqual(["hello"]);
  await store.remove("chat", "host-1");
  expect(store.status()).toMatchObject({ up: true, hints: [] });
  const log = (await redis.cli("ACL", "LOG")) as readonly unknown[];
  // ioredis says what it is called, and what is not let us know is left out.
  expect(log.map((entry) => String(entry)).filter((entry) => !/config\|get|client\|/.test(entry))).toEqual(
    [],
  );
});
