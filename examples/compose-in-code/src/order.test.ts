import { bulkhead, type Policy, createClient, rateLimit, timeout } from "@breakwater/core";
import { type ChatAnswer, type ChatRequest, deepseekUpstream } from "@breakwater/deepseek";
import { expect, test } from "vitest";

import { questionOf } from "./question.ts";
import { makeTexts } from "./texts.ts";
import { verdictOf } from "./verdict.ts";
import { createWorld, start, worst } from "./virtual.test-help.ts";

/** Three seconds in which answers take long, so that who was let go by the one guard waits for the other. */
const slow = { match: { window: { fromMs: 3_000, toMs: 6_000 } }, action: "slow_headers;ms=1500" };

async function worstSecond(order: (limit: Policy, permits: Policy) => readonly Policy[]): Promise<number> {
  const world = await createWorld({ faults: [slow] });
  const { clock, fetch, sent, simulator } = world;
  const client = createClient<ChatRequest, ChatAnswer>(
    {
      upstream: deepseekUpstream({ apiKey: simulator.key, baseURL: simulator.url, fetch }),
      runtime: clock,
    },
    timeout({ total: "10m" }),
    ...order(
      rateLimit({ limits: { requests: { limit: 40, per: "1s", algorithm: "window" } }, wait: "5m" }),
      bulkhead({ concurrency: 16, queue: 32, maxWait: "5m" }),
    ),
  );
  const { over } = start(world, {
    texts: makeTexts(400),
    classify: async (text) => verdictOf(await client.outcome(questionOf(text), { priority: "batch" })),
  });
  await world.until(over);
  return worst(sent, 1_000);
}

test("with the rate limit outside of the bulkhead, a second sees more than it lets pass", async () => {
  expect(await worstSecond((limit, permits) => [permits, limit])).toBe(40);
  expect(await worstSecond((limit, permits) => [limit, permits])).toBeGreaterThan(45);
});
