import { bulkhead, circuitBreaker, retry, timeout } from "@breakwater/core";
import { describe, expect, test } from "vitest";

import { bench, essence, inUse, readAll, sse, STREAM } from "./fake-fetch.test-help.ts";
import { recommended } from "./recommended.ts";
import type { DeepSeekUpstreamOptions } from "./upstream-options.ts";

const content = { commitOn: "content" } as const satisfies DeepSeekUpstreamOptions;
const TOOL = sse.text("x").replace('"content":"x"', '"tool_calls":[{"index":0,"id":"1"}]');

test("reasoning is given out as it comes, unless the answer is to begin with its content", async () => {
  const live = bench();
  const asked = live.outcome(STREAM);
  (await live.next()).stream().push(sse.role + sse.thought("hm"));
  expect((await asked).status).toBe("answered");
});

describe("an answer that begins with its content", () => {
  test.each([
    ["text", sse.text("Hi"), "Hi"],
    ["a tool call", TOOL, ""],
  ])("is given out at %s, with its reasoning", async (_, first, text) => {
    const { clock, next, outcome } = bench(content);
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    let answered = false;
    void asked.then(() => (answered = true));
    body.push(sse.role + sse.thought("h"));
    await clock.settle();
    body.push(sse.thought("m"));
    await clock.settle();
    expect(answered).toBe(false);
    body.push(first);
    const answer = await asked;
    body.push(sse.finish() + sse.done);
    body.end();
    const read = await readAll(answer.status === "answered" && answer.value);
    const thoughts = read.chunks.map((chunk) => chunk.choices[0]?.delta.reasoning_content ?? "");
    expect([thoughts.join(""), read.text, read.error]).toEqual(["hm", text, undefined]);
    expect(read.chunks).toHaveLength(5);
    expect(clock.pending).toBe(0);
  });

  test.each([
    ["a clean end", (body: { end(): void }) => body.end()],
    ["a reset", (body: { fail(error: unknown): void }) => body.fail(new TypeError("terminated"))],
    [
      "an interruption",
      (body: { push(text: string): void }) => body.push(sse.finish("insufficient_system_resource")),
    ],
  ])("is asked for again, unseen, after %s in its reasoning", async (_, cut) => {
    const { clock, next, outcome, requests } = bench(
      content,
      retry({ attempts: 2 }),
      bulkhead({ concurrency: 1 }),
    );
    const asked = outcome(STREAM);
    const first = (await next()).stream();
    first.push(sse.role + sse.thought("lost"));
    await clock.settle();
    cut(first);
    const second = (await clock.until(next())).stream();
    second.push(sse.role + sse.thought("hm") + sse.text("Hi") + sse.finish() + sse.done);
    second.end();
    const answer = await asked;
    const { chunks, text } = await readAll(answer.status === "answered" && answer.value);
    expect(text).toBe("Hi");
    expect(JSON.stringify(chunks)).not.toContain("lost");
    expect(requests).toHaveLength(2);
    expect(requests[1]?.body).toBe(requests[0]?.body);
    expect(clock.pending).toBe(0);
  });

  test("is asked for again when its reasoning stalls: 120 s after its last token, not after its first", async () => {
    const { ask, clock, next, outcome, requests } = bench(content, ...recommended());
    const asked = outcome(STREAM);
    const first = (await next()).stream();
    first.push(sse.role + sse.thought("h"));
    // Longer than the clock for a first token, which the reasoning has satisfied.
    for (let i = 0; i < 4; i++) {
      await clock.advance(100_000);
      expect(requests).toHaveLength(1);
      first.push(sse.thought("h"));
    }
    await clock.advance(119_999);
    expect(requests).toHaveLength(1);
    const second = (await clock.until(next())).stream();
    expect(requests[0]?.signal.aborted).toBe(true);
    second.push(sse.thought("hm") + sse.text("Hi") + sse.finish() + sse.done);
    second.end();
    const answer = await asked;
    expect((await readAll(answer.status === "answered" && answer.value)).text).toBe("Hi");
    expect(answer.meta.attempts).toBe(2);
    expect(inUse(ask)).toEqual({ inFlight: 0, permits: 0 });
    expect(clock.pending).toBe(0);
  });

  test("is bounded by a total clock to its beginning, reasoning included", async () => {
    const { clock, next, outcome } = bench(content, timeout({ total: "10s" }), retry({ attempts: 3 }));
    const asked = outcome(STREAM);
    (await next()).stream().push(sse.thought("hm"));
    await clock.advance(10_000);
    expect(essence(await asked)).toMatchObject({ code: "TIMED_OUT", retryable: false });
  });

  test("is alive for a breaker from its first thought on", async () => {
    const { clock, next, outcome } = bench(content, circuitBreaker({ slowCall: "5s", window: { calls: 1 } }));
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    body.push(sse.thought("hm"));
    await clock.advance(60_000);
    body.push(sse.text("Hi") + sse.finish() + sse.done);
    body.end();
    const answer = await asked;
    await readAll(answer.status === "answered" && answer.value);
    expect(answer.meta.firstTokenMs).toBe(0);
    const again = outcome(STREAM);
    (await next()).stream().push(sse.text("Hi"));
    expect((await again).status).toBe("answered"); // not slow, so the circuit is closed
  });

  test("may end with its reasoning", async () => {
    const { next, outcome } = bench(content);
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    body.push(sse.thought("hm") + sse.finish() + sse.done);
    body.end();
    const answer = await asked;
    const { chunks, error } = await readAll(answer.status === "answered" && answer.value);
    expect([chunks.length, error]).toEqual([2, undefined]);
  });

  test("begins without it when more would have to be held back than is allowed", async () => {
    const { next, outcome } = bench({ ...content, maxWithheld: 1_000 }, retry({ attempts: 2 }));
    const asked = outcome(STREAM);
    const body = (await next()).stream();
    body.push(sse.thought("h".repeat(1_000)));
    const answer = await asked;
    if (answer.status !== "answered") throw new Error(answer.status);
    body.end();
    const { chunks, error } = await readAll(answer.value);
    expect([chunks.length, error]).toMatchObject([1, { code: "STREAM_TRUNCATED" }]);
  });
});

test("a wrong word is refused", () => {
  expect(() => bench({ commitOn: "reasoning" as never })).toThrow(
    'deepseekUpstream: commitOn must be one of "any", "content", got "reasoning".',
  );
});

describe("a stream that stalls behind its role", () => {
  test("does not queue: it is asked for again", async () => {
    const { clock, next, outcome } = bench({}, retry({ attempts: 2 }), timeout({ firstToken: "60s" }));
    const asked = outcome(STREAM);
    const first = (await next()).stream();
    first.push(sse.keepAlive);
    await clock.advance(30_000);
    first.push(sse.role);
    const second = (await clock.until(next())).stream();
    second.push(sse.text("Hi"));
    expect((await asked).status).toBe("answered");
  });

  test("is found out by the recommended clocks 40 s later, and asked for again", async () => {
    const { clock, next, outcome } = bench({}, ...recommended());
    const asked = outcome(STREAM);
    (await next()).stream().push(sse.role);
    const second = (await clock.until(next())).stream();
    expect(clock.now()).toBeLessThan(41_000);
    second.push(sse.text("Hi"));
    expect((await asked).status).toBe("answered");
  });
});
