// Law 6: never worse than doing nothing. Independent 503s at every rate, ours against the official SDK's retries.
import { createTestClock, seeded, type TestClock } from "@breakwater/testing";
import { describe, expect, it } from "vitest";

import { createDeepSeek } from "../src/index.ts";

const json = { "content-type": "application/json" };
const busyAnswer = (): Response =>
  new Response('{"error":{"message":"Service is too busy.","type":"service_unavailable_error"}}', {
    status: 503,
    headers: json,
  });
const answer = (): Response =>
  new Response(
    '{"id":"1","object":"chat.completion","created":1,"model":"deepseek-flash","choices":[{"index":0,' +
      '"message":{"role":"assistant","content":"salt"},"logprobs":null,"finish_reason":"stop"}]}',
    { headers: json },
  );

/** Whether attempt `n` of call `i` finds the upstream busy: the same for both sides. */
function outage(p: number, seed: number): (call: number, attempt: number) => boolean {
  return (call, attempt) => seeded(seed + call * 31 + attempt * 1_000_003)() < p;
}

async function arrivals(
  clock: TestClock,
  rate: number,
  calls: number,
  call: (i: number) => Promise<boolean>,
) {
  const random = seeded(calls);
  const results: Promise<boolean>[] = [];
  for (let i = 0; i < calls; i++) {
    await clock.advance((-Math.log(1 - random()) / rate) * 1_000);
    results.push(call(i));
  }
  const answers = await clock.until(Promise.all(results));
  return answers.filter(Boolean).length / calls;
}

/** openai-node as documented: two retries, `min(0.5 · 2^n, 8) s · (1 − random / 4)`. */
function sdk(clock: TestClock, busy: (call: number, attempt: number) => boolean) {
  const random = seeded(7);
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => void clock.setTimer(ms, resolve));
  return async (i: number): Promise<boolean> => {
    for (let attempt = 0; attempt < 3; attempt++) {
      if (attempt > 0) await sleep(Math.min(0.5 * 2 ** (attempt - 1), 8) * 1_000 * (1 - random() / 4));
      const fails = busy(i, attempt);
      await sleep(fails ? 200 : 3_000);
      if (!fails) return true;
    }
    return false;
  };
}

/** `recommended()`, untouched. */
function breakwater(clock: TestClock, busy: (call: number, attempt: number) => boolean) {
  const attempts = new Map<number, number>();
  const deepseek = createDeepSeek({
    apiKey: "sk-test",
    runtime: clock,
    async fetch(_, init) {
      const { messages } = JSON.parse(init?.body as string) as { messages: { content: string }[] };
      const i = Number(messages[0]?.content);
      const attempt = attempts.get(i) ?? 0;
      attempts.set(i, attempt + 1);
      const fails = busy(i, attempt);
      await new Promise<void>((resolve) => void clock.setTimer(fails ? 200 : 3_000, resolve));
      return fails ? busyAnswer() : answer();
    },
  });
  return async (i: number): Promise<boolean> =>
    deepseek.chat({ messages: [{ role: "user", content: String(i) }] }).then(
      () => true,
      () => false,
    );
}

describe("law 6: partial outages", { timeout: 120_000 }, () => {
  const table: string[] = [];
  for (const [rate, calls] of [
    [2, 200],
    [20, 600],
    [100, 1_200],
  ] as const) {
    it.each([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])(`at ${rate} calls a second, p = %s`, async (p) => {
      const busy = outage(p, 11);
      const theirClock = createTestClock();
      const theirs = await arrivals(theirClock, rate, calls, sdk(theirClock, busy));
      const ourClock = createTestClock();
      const ours = await arrivals(ourClock, rate, calls, breakwater(ourClock, busy));
      table.push(`${rate}/s p=${p}: sdk ${(theirs * 100).toFixed(1)} %, ours ${(ours * 100).toFixed(1)} %`);
      expect(ours).toBeGreaterThanOrEqual(theirs - 0.01);
    });
  }
  it("and a whole one: callers are told at once instead of asking three times", async () => {
    let asked = 0;
    const busy = (): boolean => (asked++, true);
    const clock = createTestClock();
    expect(await arrivals(clock, 20, 1_000, breakwater(clock, busy))).toBe(0);
    expect(asked).toBeLessThan(1_000); // the SDK: 3,000
  });

  it("as a table", () => {
    console.info(table.join("\n"));
    expect(table).toHaveLength(18);
  });
});
