import { describe, expect, test } from "vitest";

import { simulatedAnswer } from "./simulated.ts";
import { makeTexts } from "./texts.ts";
import type { Verdict } from "./verdict.ts";
import { createWorld, isComplete, start, STEP_MS, type World, worst } from "./virtual.test-help.ts";

const SECOND = 1_000;

/** That no second had more than 40 requests: exactly where they are sent, and as exactly as arrivals can be told. */
function expectForty({ sent, simulator }: World): void {
  const received = simulator.attempts().map(({ tReceived }) => tReceived);
  expect(worst(sent, SECOND)).toBe(40);
  expect(worst(received, SECOND - 2 * STEP_MS)).toBeLessThanOrEqual(40);
}

describe("a thousand texts", () => {
  test("each gets its label, and no second and no moment sees more than the limits", async () => {
    const world = await createWorld();
    const { lines, over } = start(world, { limits: { concurrency: 12 } });
    expect(await world.until(over)).toBeUndefined();
    expect(isComplete(lines, 1_000)).toBe(true);
    for await (const { n, text } of makeTexts(20)) {
      const messages = [{ role: "user" as const, content: text }];
      const { label } = JSON.parse(simulatedAnswer({ messages })) as { label: string };
      if (label !== "complaint") expect(lines.find((line) => line.n === n)).toMatchObject({ text, label });
    }
    expectForty(world);
    expect(world.simulator.maxInFlight("account-1")).toBe(12);
    // The limits are used, too: with 40 a second it takes 25 seconds.
    expect(world.clock.now()).toBeLessThan(45 * SECOND);
  });

  test("the same through a burst of 503 and some 429", async () => {
    const world = await createWorld({
      faults: [
        { match: { window: { fromMs: 5_000, toMs: 10_000 }, probability: 0.6 }, action: "503" },
        { match: { nth: { every: 90 } }, action: "429_plain" },
        { match: { nth: { every: 70 } }, action: "reset_before_headers" },
        { match: { nth: { every: 130 } }, action: "malformed_json" },
      ],
    });
    const { lines, over, standing } = start(world);
    expect(await world.until(over)).toBeUndefined();
    expect(isComplete(lines, 1_000)).toBe(true);
    expect(standing.skipped).toBe(0);
    const statuses = new Set(world.simulator.attempts().map(({ status }) => status));
    expect([...statuses].toSorted((a, b) => a - b)).toEqual([0, 200, 429, 503]);
    expectForty(world);
    expect(world.simulator.maxInFlight("account-1")).toBeLessThanOrEqual(16);
  });

  test("tokens are limited as well", async () => {
    const world = await createWorld();
    const { lines, over } = start(world, { howMany: 200, limits: { tokensPerMinute: 6_000 } });
    expect(await world.until(over)).toBeUndefined();
    expect(isComplete(lines, 200)).toBe(true);
    const attempts = world.simulator.attempts();
    const tokensOf = (i: number): number =>
      (attempts[i]?.promptTokens ?? 0) + (attempts[i]?.tokensGenerated ?? 0);
    const received = attempts.map(({ tReceived }) => tReceived);
    // A bucket of a minute, and a minute of what runs into it.
    expect(worst(received, 60 * SECOND, tokensOf)).toBeLessThanOrEqual(12_000);
    expect(world.clock.now()).toBeGreaterThan(60 * SECOND);
  });
});

describe("nobody answers", () => {
  test("the breaker opens, the batch waits and says so, and goes on by itself", async () => {
    const world = await createWorld({
      faults: [{ match: { window: { fromMs: 3_000, toMs: 33_000 } }, action: "503" }],
    });
    const { lines, over, standing } = start(world);
    await world.until(() => standing.waiting !== undefined);
    expect(standing.waiting?.why).toBe("DeepSeek does not answer");
    const openedAt = world.simulator.state().nowMs;
    expect(await world.until(over)).toBeUndefined();
    expect(isComplete(lines, 1_000)).toBe(true);
    expect(standing.waiting).toBeUndefined();
    // Of what 40 a second would have been, only what was under way already, and the probes.
    const inVain = world.simulator
      .attempts()
      .filter(({ status, tReceived }) => tReceived > openedAt && status === 503);
    expect(inVain.length).toBeLessThan(40);
  });

  test("for too long: it ends, with most of the list untouched", async () => {
    const world = await createWorld({ faults: [{ action: "503" }] });
    const { lines, over, standing } = start(world);
    expect(await world.until(over)).toMatch(
      /^DeepSeek does not answer, for 1[45] minutes now\. Try it later$/,
    );
    expect(lines).toEqual([]);
    expect(standing.skipped).toBe(0);
    expect(world.sent.length).toBeLessThan(250);
  });
});

test("a text that is answered with 500 for ever is skipped after some rounds, and the others are not kept", async () => {
  const world = await createWorld({ text: { content: simulatedAnswer } });
  const { classify } = start(world, { howMany: 0 });
  const sick: Verdict = { next: "wait", why: "the server failed", ms: 5_000, asked: true, all: false };
  const { lines, over, standing } = start(world, {
    howMany: 100,
    classify: async (text) => (text.includes("lamp of order 10246") ? sick : classify(text)),
  });
  expect(await world.until(over)).toBeUndefined();
  expect(standing.first).toEqual([{ n: 1, why: "the server failed" }]);
  expect(lines).toHaveLength(99);
});

test("to be refused by a limit of one's own is no round: the text waits for as long as there are answers", async () => {
  const world = await createWorld();
  let refusals = 0;
  const refused: Verdict = { next: "wait", why: "RATE_LIMITED", ms: 60_000, asked: false, all: false };
  const { lines, over, standing } = start(world, {
    howMany: 1,
    classify: async () => (++refusals < 12 ? refused : { next: "write", label: "product" }),
  });
  expect(await world.until(over)).toBeUndefined();
  expect([lines.length, standing.skipped]).toEqual([1, 0]);
});

describe("an account", () => {
  test("without credit ends the batch; after a top-up the next run does the rest, and nothing twice", async () => {
    const world = await createWorld();
    const first = start(world, { howMany: 300 });
    await world.until(() => first.lines.length > 100);
    world.simulator.changeAccount("account-1", { balanceUsd: 0 });
    const emptyAt = world.simulator.state().nowMs;
    expect(await world.until(first.over)).toMatch(/no credit left/);
    expect(first.lines.length).toBeLessThan(160);
    expect(world.simulator.requestsAfter("account-1", emptyAt).length).toBeLessThanOrEqual(16);

    world.simulator.changeAccount("account-1", { balanceUsd: 10 });
    const second = start(world, { howMany: 300, lines: first.lines });
    const before = first.lines.length;
    expect(await world.until(second.over)).toBeUndefined();
    expect(second.standing.written).toBe(300 - before);
    expect(isComplete(second.lines, 300)).toBe(true);
  });

  test("with a key that is not taken ends it at once", async () => {
    const world = await createWorld({ faults: [{ action: "401" }] });
    const { over } = start(world);
    expect(await world.until(over)).toMatch(/does not take the key/);
    expect(world.sent.length).toBeLessThanOrEqual(32);
  });
});

describe("an answer that is no label", () => {
  test("is asked about once more, and the model is told why", async () => {
    const world = await createWorld({ text: { content: simulatedAnswer } });
    const { client, lines, over } = start(world, { howMany: 200 });
    let retries = 0;
    client.on(({ type }) => void (type === "retry-wait" && retries++));
    expect(await world.until(over)).toBeUndefined();
    expect(isComplete(lines, 200)).toBe(true);
    expect(lines.filter(({ label }) => label === "complaint")).toEqual([]);
    expect(retries).toBeGreaterThan(0);
    expect(world.sent).toHaveLength(200 + retries);
  });

  test("twice: the text is skipped and told, the others go on, and the breaker knows nothing of it", async () => {
    const world = await createWorld({
      text: {
        content: (request) =>
          /78/.test(String(request.messages[1]?.content)) ? "{}" : '{"label":"account"}',
      },
    });
    const { lines, over, standing } = start(world, { howMany: 200 });
    expect(await world.until(over)).toBeUndefined();
    expect(standing.skipped).toBeGreaterThan(0);
    expect(lines.length + standing.skipped).toBe(200);
    expect(standing.first[0]?.why).toBe(
      'answered "{}", which is none of delivery, payment, refund, product, account',
    );
    expect(world.sent).toHaveLength(200 + standing.skipped);
  });

  test("from the first text on ends the batch before the list is burnt", async () => {
    const world = await createWorld({ text: { content: () => "Sure! It is about a parcel." } });
    const { lines, over } = start(world);
    expect(await world.until(over)).toMatch(
      /^10 texts in a row came to nothing, the last one because: answered "Sure!/,
    );
    expect(lines).toEqual([]);
    expect(world.sent.length).toBeLessThanOrEqual(2 * (32 + 10));
  });
});

test("interrupted, it takes no further text and finishes those that are being asked", async () => {
  const world = await createWorld();
  const stopping = new AbortController();
  const { client, lines, over } = start(world, { signal: stopping.signal });
  await world.until(() => lines.length > 50);
  const at = world.simulator.state().nowMs;
  const before = lines.length;
  stopping.abort();
  const drained = client.drain({ withinMs: 30_000 });
  expect(await world.until(over)).toBe("Interrupted");
  await world.until(drained);
  expect(lines.length).toBeGreaterThan(before);
  expect(lines.length).toBeLessThanOrEqual(before + 32);
  expect(world.simulator.requestsAfter("account-1", at + SECOND)).toEqual([]);
  expect(world.clock.pending).toBe(0);
});

test("a result that cannot be written ends it with that error, once the others are through", async () => {
  const world = await createWorld();
  const full = new Error("no space left on device");
  const { over } = start(world, { results: { has: () => false, write: () => Promise.reject(full) } });
  await expect(world.until(over)).rejects.toBe(full);
  expect(world.simulator.state().open).toBe(0);
});

test("a source that throws ends it with that error", async () => {
  const world = await createWorld();
  async function* broken() {
    yield* makeTexts(3);
    throw new Error("the file is gone");
  }
  const { lines, over } = start(world, { texts: broken() });
  await expect(world.until(over)).rejects.toThrow("the file is gone");
  expect(lines).toHaveLength(3);
});

test("interrupted while nothing comes, those that are being asked are let go in the end, and left for the next run", async () => {
  const world = await createWorld({ capacity: { slots: 0 } });
  const stopping = new AbortController();
  const { client, lines, over, standing } = start(world, { signal: stopping.signal });
  await world.until(() => world.simulator.state().open === 16);
  const at = world.clock.now();
  stopping.abort();
  const drained = client.drain({ withinMs: 5_000 });
  expect(await world.until(over)).toBe("Interrupted");
  await world.until(drained);
  expect(world.clock.now() - at).toBeLessThan(6_000);
  expect([lines.length, standing.skipped, world.simulator.state().open]).toEqual([0, 0, 0]);
});
