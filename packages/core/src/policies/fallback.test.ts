import { describe, expect, it } from "vitest";

import {
  bulkhead,
  type BreakwaterEvent,
  circuitBreaker,
  createClient,
  fallback,
  retry,
  upstream,
  UpstreamError,
} from "../index.ts";

const down = upstream((_: string): Promise<string> =>
  Promise.reject(Object.assign(new Error("down"), { status: 503 })),
);

describe("fallback", () => {
  it("takes another host, with policies of its own, and says that the answer is not what was asked for", async () => {
    let calls = 0;
    const flaky = upstream(async (question: string) => {
      if (++calls === 1) throw Object.assign(new Error("busy"), { status: 503 });
      return `second host: ${question}`;
    });
    const second = createClient(flaky, retry({ baseDelay: 0 }));
    const ask = createClient(down, fallback({ to: second }));
    const events: BreakwaterEvent[] = [];
    ask.on((event) => events.push(event));
    expect(await ask.full("why?")).toMatchObject({
      value: "second host: why?",
      meta: { degraded: true, attempts: 3 },
    });
    expect(events).toContainEqual(expect.objectContaining({ type: "fallback-use" }));
  });

  it("asks the same upstream for something else", async () => {
    const models = upstream(async (model: string) => {
      if (model === "pro") throw Object.assign(new Error("busy"), { status: 503 });
      return model;
    });
    expect(await createClient(models, fallback({ request: () => "flash" }))("pro")).toBe("flash");
  });

  it("covers refusals: an open circuit, a full bulkhead", async () => {
    const ask = createClient(
      down,
      fallback({ value: (question) => `later: ${question}` }),
      circuitBreaker({ minimumCalls: 1, window: { calls: 1 } }),
    );
    expect(await ask("a")).toBe("later: a");
    expect(await ask.full("b")).toMatchObject({ value: "later: b", meta: { attempts: 0 } });
  });

  it("never hides a failure from a breaker further in", async () => {
    const breaker = circuitBreaker({ minimumCalls: 2, window: { calls: 2 } });
    const ask = createClient(down, fallback({ value: () => "canned" }), breaker);
    await ask("a");
    await ask("b");
    expect(breaker.snapshot?.()).toMatchObject({ "": { status: "open" } });
  });

  it("leaves the caller's own doing alone, but takes a wrong key or an unknown model elsewhere", async () => {
    const failing = (status: number, more = {}) =>
      createClient(
        upstream((_: string): Promise<string> =>
          Promise.reject(Object.assign(new Error(String(status)), { status, ...more })),
        ),
        fallback({ value: () => "canned" }),
      );
    await expect(failing(400)("x")).rejects.toThrow("400");
    expect(await failing(401)("x")).toBe("canned");
    expect(await failing(402)("x")).toBe("canned");
    expect(await failing(429)("x")).toBe("canned");
  });

  it("comes to its own outcome when it fails as well", async () => {
    const own = new UpstreamError("OVERLOADED", "second host is down, too", { status: 503 });
    const ask = createClient(
      down,
      fallback({ to: upstream((_: string): Promise<string> => Promise.reject(own)) }),
    );
    await expect(ask("x")).rejects.toBe(own);
  });

  it("rethrows what its own callback throws", async () => {
    const bug = new TypeError("bug in the fallback");
    const ask = createClient(
      down,
      fallback({
        value: () => {
          throw bug;
        },
      }),
    );
    await expect(ask("x")).rejects.toBe(bug);
  });

  it("gives its permit back with the stream that it answered with", async () => {
    const limit = bulkhead({ concurrency: 1 });
    const streams = upstream(async function* (_: string): AsyncIterable<string> {
      yield "a";
      yield "b";
    });
    const nothing = upstream((_: string): Promise<AsyncIterable<string>> =>
      Promise.reject(new Error("down")),
    );
    const ask = createClient(nothing, limit, fallback({ to: streams }));
    const stream = await ask("x");
    expect(limit.snapshot?.()).toMatchObject({ active: { "": 1 } });
    const items: string[] = [];
    for await (const item of stream) items.push(item);
    expect(items).toEqual(["a", "b"]);
    expect(limit.snapshot?.()).toMatchObject({ active: {} });
  });

  it.each([
    [
      {},
      "fallback: say what to fall back on: to (another upstream or client), request (another request) or value.",
    ],
    [{ value: () => "x", to: down }, "fallback: value stands alone"],
    [{ to: "https://example.com" }, "fallback: to: an upstream is expected"],
    [{ value: "canned" }, 'fallback: value must be a function, got "canned".'],
  ])("says what is wrong with %j", (options, message) => {
    expect(() => fallback(options as never)).toThrow(message);
  });
});
