import { bulkhead, createPipeline, StoreError } from "@breakwater/core";
import { expect, it, onTestFinished } from "vitest";

import { redisStore } from "../src/index.ts";

/** All that an error says, and what it came from, and so on. */
function said(error: unknown): string[] {
  return error instanceof Error ? [error.message, ...said(error.cause)] : [];
}

it("a call that fails because the store is away says why", async () => {
  const store = redisStore("redis://:hunter2@127.0.0.1:1");
  onTestFinished(() => store.close());
  const guarded = createPipeline(bulkhead({ name: "account", store, concurrency: 1, outage: "closed" }));
  const outcome = await guarded.outcome(() => "served");
  const error = outcome.status === "failed" ? outcome.error : undefined;
  expect(StoreError.isInstance(error)).toBe(true);
  expect(said(error)).toEqual([
    expect.stringMatching(/^account: Redis cannot decide at the moment/),
    "Redis is not connected",
    expect.stringContaining("ECONNREFUSED"),
    expect.stringContaining("ECONNREFUSED"),
  ]);
  expect(said(store.status().reason).join()).toContain("ECONNREFUSED");
  expect(said(error).join()).not.toContain("hunter2");
});
