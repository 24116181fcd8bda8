import { describe, expect, it } from "vitest";

import { createTestClock } from "../../testing/src/index.ts";
import { around, attempt, type Call, createClient, timeout, upstream } from "./index.ts";

describe("a call", () => {
  it("that is detached writes into a meta of its own, since its caller may have his answer already", async () => {
    let detached: Call<string> | undefined;
    const behind = around<string, string>("behind", {
      name: "behind",
      run(call, next) {
        detached = call.fork({ detached: true });
        return next(detached);
      },
    });
    const ask = createClient(
      upstream((q: string, { call }) => {
        call.meta.model = "small";
        return q;
      }),
      behind,
    );
    const outcome = await ask.outcome("q", { callId: "c-1" });
    expect(detached?.meta).toEqual({ callId: "c-1", attempts: 1, model: "small" });
    expect(outcome.meta).toBe(detached?.meta);
  });

  it("that is detached has the latest deadline of those who joined it, and so has what runs inside it already", async () => {
    const clock = createTestClock();
    const inside: Call<string>[] = [];
    let detached: Call<string> | undefined;
    const behind = around<string, string>("behind", {
      name: "behind",
      run(call, next) {
        detached = call.fork({ detached: true });
        return next(detached);
      },
    });
    const twice = around<string, string>("twice", { name: "twice", run: (call, next) => next(call.fork()) });
    const ask = createClient(
      {
        upstream: upstream((q: string, { call }) => {
          inside.push(call);
          return q;
        }),
        runtime: clock,
      },
      behind,
      timeout({ total: "1m" }),
      twice,
    );
    await ask("q", { deadline: "1s" });
    const [call] = inside;
    expect([detached?.deadline, call?.deadline]).toEqual([1_000, 1_000]);
    detached?.extendDeadline(5_000);
    expect([detached?.deadline, call?.deadline]).toEqual([5_000, 5_000]);
    detached?.extendDeadline(3_000);
    expect(call?.deadline).toBe(5_000);
    detached?.extendDeadline(Infinity);
    expect(call?.deadline).toBe(60_000); // a clock inside still bounds it
  });

  it("bounds what runs inside it by what bounds it later", async () => {
    let inner: Call<string> | undefined;
    const outer = around<string, string>("outer", {
      name: "outer",
      run(call, next) {
        inner = call.fork();
        call.limitDeadline(7);
        return attempt(inner, () => next(call.fork()));
      },
    });
    const ask = createClient(
      upstream((q: string) => q),
      outer,
    );
    await ask("q");
    expect(inner?.deadline).toBe(7);
  });
});
