import { describe, expect, it } from "vitest";

import { createTestClock, instanceStoreContract } from "../../testing/src/index.ts";
import { ConfigError, StoreError } from "./errors.ts";
import { createMemoryInstanceStore } from "./instances-memory.ts";
import { INSTANCE_LIMITS } from "./instances.ts";

describe("the instance store in memory", () => {
  const runtime = createTestClock();
  const cases = instanceStoreContract({
    create: () => createMemoryInstanceStore({ runtime }),
    advance: (ms) => runtime.advance(ms),
  });
  it.each(cases)("$name", ({ run }) => run());

  it("arms no timer", () => {
    expect(runtime.pending).toBe(0);
  });

  it("has room for so many services, of which those of whom nothing is left go first", async () => {
    const clock = createTestClock();
    const store = createMemoryInstanceStore({ runtime: clock });
    for (let n = 1; n < INSTANCE_LIMITS.services; n++) store.put(`${n}`, "a", "", 10_000);
    store.tell("short", "hello", 1_000);
    expect(() => store.put("late", "a", "", 10_000)).toThrow(StoreError);
    expect(() => store.tell("late", "hello", 10_000)).toThrow("100 services already");
    await clock.advance(1_000);
    store.put("late", "a", "", 10_000);
    expect(store.all("late")).toHaveLength(1);
  });

  it("does not take options that it does not know", () => {
    expect(() => createMemoryInstanceStore({ clock: runtime } as never)).toThrow(ConfigError);
  });

  it("tells how long a text was, and nothing of what it says", () => {
    const store = createMemoryInstanceStore({ runtime });
    const secret = "secret".repeat(50_000);
    expect(() => store.put("chat", "a", secret, 1_000)).toThrow(
      /^instances: a report of 300000 characters is not kept; it may have 262144$/,
    );
  });
});
