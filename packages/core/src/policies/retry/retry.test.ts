import { describe, expect, it } from "vitest";

import { createTestClock, scriptedUpstream } from "../../../../testing/src/index.ts";
import {
  type BreakwaterEvent,
  createClient,
  createPipeline,
  retry,
  timeout,
  upstream,
  UpstreamError,
} from "../../index.ts";

const busy = (): Error => Object.assign(new Error("busy"), { status: 503 });

/** An upstream that fails with what `errors` hold, in turn, and then answers with the number of its calls. */
function failing(...errors: Error[]) {
  const seen = { calls: 0, at: [] as number[] };
  const clock = createTestClock();
  const up = upstream(async (_: string): Promise<number> => {
    seen.at.push(clock.now());
    const error = errors[seen.calls++];
    if (error !== undefined) throw error;
    return seen.calls;
  });
  return { up, seen, clock };
}

describe("retry", () => {
  it("counts the first attempt among its attempts", async () => {
    const { up, seen, clock } = failing(busy(), busy(), busy(), busy());
    const ask = createClient({ upstream: up, runtime: clock }, retry({ attempts: 3 }));
    await expect(clock.until(ask("x"))).rejects.toThrow("busy");
    expect(seen.calls).toBe(3);
  });

  it("waits between 0 and a ceiling that doubles, and no longer than maxDelay", async () => {
    const { up, seen, clock } = failing(...Array.from({ length: 5 }, busy));
    clock.setRandom(1 - Number.EPSILON);
    const ask = createClient(
      { upstream: up, runtime: clock },
      retry({ attempts: 6, baseDelay: 100, maxDelay: 300 }),
    );
    await clock.until(ask("x"));
    const waits = seen.at.slice(1).map((at, i) => Math.round(at - (seen.at[i] as number)));
    expect(waits).toEqual([100, 200, 300, 300, 300]);
  });

  it("trap 45: an abort during the wait settles at once, with the caller's own reason, and no further attempt is made", async () => {
    const { up, seen, clock } = failing(busy(), busy());
    clock.setRandom(0.9);
    const ask = createClient({ upstream: up, runtime: clock }, retry({ baseDelay: "5s" }));
    const controller = new AbortController();
    const asked = ask("x", { signal: controller.signal }).catch((error: unknown) => error);
    await clock.advance(10);
    const reason = new Error("gone");
    controller.abort(reason);
    await clock.settle();
    expect(await asked).toBe(reason);
    await clock.advance(60_000);
    expect(seen.calls).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it("trap 48, 49: a Retry-After is never undercut, whatever maxDelay says", async () => {
    const { up, seen, clock } = failing(
      new UpstreamError("OVERLOADED", "busy", { status: 503, retryable: true, retryAfterMs: 20_000 }),
    );
    const ask = createClient({ upstream: up, runtime: clock }, retry({ maxDelay: "1s" }));
    expect(await clock.until(ask("x"))).toBe(2);
    expect(seen.at[1]).toBeGreaterThanOrEqual(20_000);
  });

  it("fails now when the Retry-After is longer than anybody would wait, and tells it", async () => {
    const { up, seen, clock } = failing(
      new UpstreamError("OVERLOADED", "busy", { status: 503, retryable: true, retryAfterMs: 61_000 }),
    );
    const ask = createClient({ upstream: up, runtime: clock }, retry());
    expect(await ask.outcome("x")).toMatchObject({ status: "failed", retryAfterMs: 61_000 });
    expect(seen.calls).toBe(1);
    expect(clock.now()).toBe(0);
  });

  it("fails now when the wait does not fit into the deadline", async () => {
    const { up, seen, clock } = failing(busy(), busy());
    clock.setRandom(0.99);
    const events: BreakwaterEvent[] = [];
    const ask = createClient(
      { upstream: up, runtime: clock },
      timeout({ total: 1_000 }),
      retry({ baseDelay: "2s" }),
    );
    ask.on((event) => events.push(event));
    expect(await ask.outcome("x")).toMatchObject({ status: "failed", error: { message: "busy" } });
    expect(clock.now()).toBe(0);
    expect(seen.calls).toBe(1);
    expect(events).toContainEqual(expect.objectContaining({ type: "retry-stop", because: "deadline" }));
  });

  it("trap 50: exhausted, it returns the last outcome as it was", async () => {
    const errors = [busy(), busy(), busy()];
    const { up, clock } = failing(...errors);
    const ask = createClient({ upstream: up, runtime: clock }, retry());
    expect(await clock.until(ask("x").catch((error: unknown) => error))).toBe(errors[2]);
  });

  it("trap 51: every attempt has a signal of its own, and all of them follow the caller's", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    const ask = createClient(
      { upstream: script.upstream, runtime: clock },
      retry({ baseDelay: 0 }),
      timeout({ firstToken: 100 }),
    );
    const asked = ask("x");
    const first = (await script.next()).call.signal;
    await clock.advance(100);
    const second = await script.next();
    expect(first.aborted).toBe(true);
    expect(second.call.signal).not.toBe(first);
    expect(second.call.signal.aborted).toBe(false);
    second.answer("there");
    expect(await asked).toBe("there");
  });

  it("trap 53: its budget is shared by the whole client, and running out of it stops retries, not calls", async () => {
    const clock = createTestClock();
    let calls = 0;
    const down = upstream(async (_: number): Promise<number> => {
      calls++;
      throw busy();
    });
    const ask = createClient(
      { upstream: down, runtime: clock, budget: { perSecond: 1, ratio: 0 } },
      retry({ attempts: 10, baseDelay: 0 }),
    );
    const outcomes = await clock.until(
      Promise.all(Array.from({ length: 20 }, async (_, i) => ask.outcome(i))),
    );
    expect(outcomes.every((outcome) => outcome.status === "failed")).toBe(true);
    expect(calls).toBe(21);
  });

  it("trap 56: what is not retried is thrown as it is", async () => {
    const error = new TypeError("x is undefined");
    const { up, seen, clock } = failing(error);
    const ask = createClient({ upstream: up, runtime: clock }, retry());
    await expect(ask("x")).rejects.toBe(error);
    expect(seen.calls).toBe(1);
  });

  it("trap 61: what a reader has seen is never asked for again, whatever `when` says", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, AsyncIterable<string>>();
    const ask = createClient(
      { upstream: script.upstream, runtime: clock },
      retry({ when: (outcome) => outcome.status !== "answered" }),
    );
    const asked = ask("x");
    const stream = (await script.next()).stream("Hel");
    const reader = (await asked)[Symbol.asyncIterator]();
    expect(await reader.next()).toMatchObject({ value: "Hel" });
    stream.fail(busy());
    await expect(reader.next()).rejects.toThrow("busy");
    await clock.advance(60_000);
    expect(script.calls).toBe(1);
  });

  it("may change the request of the next attempt", async () => {
    const clock = createTestClock();
    const seen: string[] = [];
    const up = upstream(async (model: string) => {
      seen.push(model);
      if (model === "pro") throw busy();
      return model;
    });
    const ask = createClient({ upstream: up, runtime: clock }, retry({ request: () => "flash" }));
    expect(await clock.until(ask("pro"))).toBe("flash");
    expect(seen).toEqual(["pro", "flash"]);
  });

  it("is changed while it runs, whole or not at all", async () => {
    const { up, seen, clock } = failing(busy(), busy(), busy(), busy(), busy());
    const policy = retry({ attempts: 2, baseDelay: 0 });
    const ask = createClient({ upstream: up, runtime: clock }, policy);
    await clock.until(ask.outcome("x"));
    expect(seen.calls).toBe(2);
    expect(() => policy.update({ attempts: 5, baseDelay: Number.NaN })).toThrow(
      "retry: baseDelay must be milliseconds or a string such as",
    );
    expect(policy.describe?.()).toMatchObject({ attempts: 2 });
    policy.update({ attempts: 3 });
    await clock.until(ask.outcome("x"));
    expect(seen.calls).toBe(5);
  });

  it.each([
    [{ attempts: 0 }, "retry: attempts must be a whole number from 1 to 100, got 0."],
    [
      { attempts: Number("3x") },
      "retry: attempts must be a whole number from 1 to 100, got NaN (an environment variable that is not set?).",
    ],
    [{ atempts: 3 }, 'retry: unknown option "atempts"; known are name, mode, attempts,'],
    [{ mode: "shadow" }, 'retry: mode must be one of "enforce", "off", got "shadow".'],
    [{ baseDelay: "9s" }, "retry: maxDelay must not be shorter than baseDelay"],
    [{ when: true }, "retry: when must be a function, got true."],
    ["3", 'retry: options must be an object, got "3".'],
  ])("says what is wrong with %j", (options, message) => {
    expect(() => retry(options as never)).toThrow(message);
  });
});

describe("retry, of work that may be done once only", () => {
  it("makes no further attempt, and says so only where it would have made one", async () => {
    const { up, seen, clock } = failing(busy(), new TypeError("mistake"), busy());
    const ask = createClient({ upstream: up, runtime: clock }, retry({ attempts: 3 }));
    const told: BreakwaterEvent[] = [];
    ask.on((event) => event.type === "retry-stop" && told.push(event));
    await expect(ask("x", { idempotent: false })).rejects.toThrow("busy");
    expect(told).toMatchObject([{ policy: "retry", attempt: 1, because: "not-idempotent" }]);
    await expect(ask("x", { idempotent: false })).rejects.toThrow("mistake");
    expect([seen.calls, told.length]).toEqual([2, 1]);
    expect(await clock.until(ask("x"))).toBe(4); // of this call alone
  });

  it("leaves the retries of a client inside it to that client, also where both are one policy", async () => {
    const { up, seen, clock } = failing(busy(), busy());
    const again = retry({ attempts: 3, baseDelay: 0 });
    const inner = createClient({ upstream: up, runtime: clock }, again);
    const handler = createPipeline({ runtime: clock }, retry(), again);
    const asked = handler.execute(({ signal }) => inner("x", { signal }), { idempotent: false });
    expect(await clock.until(asked)).toBe(3);
    expect(seen.calls).toBe(3);
  });

  it("holds for a client that is the upstream of another: it is the same work", async () => {
    const { up, seen, clock } = failing(busy());
    const inner = createClient({ upstream: up, runtime: clock }, retry({ baseDelay: 0 }));
    const outer = createClient({ upstream: inner, runtime: clock });
    await expect(outer("x", { idempotent: false })).rejects.toThrow("busy");
    expect(seen.calls).toBe(1);
  });

  it("is quiet inside a retry of work that may be done again, and in one that would have stopped anyway", async () => {
    const { up, clock } = failing(busy(), busy(), busy());
    const told: unknown[] = [];
    const ask = createClient({ upstream: up, runtime: clock }, retry({ attempts: 3 }));
    const single = createClient({ upstream: up, runtime: clock }, retry({ attempts: 1 }));
    for (const client of [ask, single])
      client.on((event) => event.type === "retry-stop" && told.push(event.because));
    const pipeline = createPipeline({ runtime: clock }, retry({ attempts: 2, baseDelay: 0 }));
    const asked = pipeline.outcome(({ signal }) => ask("x", { signal, idempotent: false }));
    expect(await clock.until(Promise.resolve(asked))).toMatchObject({ status: "failed" });
    await expect(single("x", { idempotent: false })).rejects.toThrow("busy");
    expect(told).toEqual(["nested", "nested", "attempts"]);
  });
});
