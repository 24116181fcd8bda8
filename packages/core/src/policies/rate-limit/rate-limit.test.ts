import { describe, expect, it } from "vitest";

import { createTestClock } from "../../../../testing/src/index.ts";
import { createPipeline, rateLimit } from "../../index.ts";

describe("a rate limit", () => {
  it("lets pass what it may and says exactly when to come again", async () => {
    const clock = createTestClock();
    const limited = createPipeline(
      { runtime: clock },
      rateLimit({ name: "account", limits: { requests: { limit: 3, per: "1s" } } }),
    );
    const outcomes = Array.from({ length: 4 }, () => limited.outcome(() => 1));
    expect(outcomes.map((o) => (o as { status: string }).status)).toEqual([
      "answered",
      "answered",
      "answered",
      "refused",
    ]);
    expect(outcomes[3]).toMatchObject({
      refusal: {
        by: "account",
        code: "RATE_LIMITED",
        retryAfterMs: 334,
        limit: 3,
        remaining: 0,
        resetMs: 1_000,
      },
    });
    await clock.advance(333);
    expect(limited.outcome(() => 1)).toMatchObject({ status: "refused", refusal: { retryAfterMs: 1 } });
    await clock.advance(1);
    expect(limited.outcome(() => 1)).toMatchObject({ status: "answered" });
  });

  it("serves who waits in order, before whoever comes later, and refuses at once who would wait too long", async () => {
    const clock = createTestClock();
    const limited = createPipeline(
      { runtime: clock },
      rateLimit({ limits: { requests: { limit: 1, per: 100 } }, wait: 300 }),
    );
    const log: string[] = [];
    const start = (n: number): void => {
      void Promise.resolve(limited.outcome(() => n)).then((outcome) =>
        log.push(`${n} ${outcome.status} at ${clock.now()}`),
      );
    };
    for (const n of [0, 1, 2, 3, 4]) start(n);
    await clock.advance(0);
    expect(log.splice(0)).toEqual(["0 answered at 0", "4 refused at 0"]);
    await clock.advance(100);
    start(5);
    await clock.advance(300);
    expect(log).toEqual(["1 answered at 100", "2 answered at 200", "3 answered at 300", "5 answered at 400"]);
    expect(clock.pending).toBe(0);
  });
});
