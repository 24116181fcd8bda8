import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";

import { expect, test } from "vitest";

import { lineOf, type Shown, showProgress, watch } from "./progress.ts";
import { createWorld, start } from "./virtual.test-help.ts";

const shown: Shown = {
  done: 412,
  total: 1_000,
  inFlight: 16,
  retries: 3,
  tokens: 42_000,
  usd: "0.0031",
  waiting: undefined,
};

test("a line says what there is to know, and what it waits for only if it does", () => {
  expect(lineOf(shown)).toBe("412/1000 · 16 in flight · 3 retries · 42.0k tokens · $0.0031");
  expect(lineOf({ ...shown, waiting: "the rate limit" })).toMatch(/ · waiting: the rate limit$/);
});

test("what is shown is what the host, the client and the ledger know", async () => {
  const world = await createWorld({
    faults: [{ match: { window: { fromMs: 4_000, toMs: 5_000 }, probability: 0.5 }, action: "503" }],
  });
  const { client, costs, over, standing } = start(world, { howMany: 300 });
  const look = watch({ client, costs }, standing, { found: 0, total: 300 }, world.clock);
  expect(look()).toMatchObject({ done: 0, total: 300, tokens: 0, usd: "0.0000" });
  const waits = new Set<string>();
  await world.until(() => {
    const { inFlight, waiting } = look();
    expect(inFlight).toBe(world.simulator.state().open);
    if (waiting !== undefined) waits.add(waiting.replace(/\d+/, "some"));
    return standing.written > 150;
  });
  await world.until(over);
  expect(waits).toContain("the rate limit");
  const attempts = world.simulator.attempts();
  const tokens = attempts.reduce((sum, each) => sum + each.promptTokens + each.tokensGenerated, 0);
  const usd = attempts.reduce((sum, each) => sum + each.billedUsd, 0);
  expect(look()).toEqual({
    done: 300,
    total: 300,
    inFlight: 0,
    retries: attempts.length - 300,
    tokens: attempts
      .filter(({ status }) => status !== 503)
      .reduce((sum, each) => sum + each.promptTokens + each.tokensGenerated, 0),
    usd: usd.toFixed(4),
    waiting: undefined,
  });
  expect(tokens).toBeGreaterThan(0);
});

test("while nobody answers it says so, and counts down to the next try", async () => {
  const world = await createWorld({ faults: [{ action: "503" }] });
  const stopping = new AbortController();
  const { client, costs, over, standing } = start(world, { signal: stopping.signal });
  const look = watch({ client, costs }, standing, { found: 0, total: 1_000 }, world.clock);
  await world.until(() => standing.waiting !== undefined);
  expect(look().waiting).toMatch(/^DeepSeek does not answer, next try in [45] s$/);
  await world.until(() => /in 1 s/.test(look().waiting ?? ""));
  stopping.abort();
  await world.until(over);
});

test("elsewhere than on a terminal it is lines, the last one at the end", async () => {
  const stream = new PassThrough();
  const progress = showProgress(() => shown, stream);
  progress.say("Soon over.");
  progress.end();
  stream.end();
  expect(await text(stream)).toBe(`Soon over.\n${lineOf(shown)}\n`);
});

test("on a terminal it is a bar, as full as the list is done", async () => {
  const before = process.listenerCount("exit");
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 120 });
  const progress = showProgress(() => shown, stream);
  progress.say("Soon over.");
  progress.end();
  stream.end();
  const bar = await text(stream);
  expect(bar).toContain(lineOf(shown));
  expect(bar).toMatch(/█{10}░{14} /);
  expect(bar).toContain("\nSoon over.\n");
  // The cursor is hidden while a bar is shown, and there again afterwards.
  expect(bar.match(/\[\?25[hl]/g)).toEqual(["[?25l", "[?25h", "[?25l", "[?25h"]);
  expect(process.listenerCount("exit")).toBe(before);
});

test("on a narrow terminal there is still room for what it waits for", async () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  showProgress(() => ({ ...shown, waiting: "the rate limit" }), stream).end();
  stream.end();
  const line = "██░░░░ 412/1000 · 16 in flight · 3 retries · $0.0031 · waiting: the rate limit";
  expect(await text(stream)).toContain(line);
  expect(line.length).toBeLessThanOrEqual(80);
});
