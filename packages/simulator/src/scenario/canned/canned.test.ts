import { expect, test } from "vitest";

import { readStream } from "../../http.test-help.ts";
import type { Simulator } from "../../index.ts";
import { completed, play, playCalls, share, status, tenthOfTheSpeed, type Seen } from "./play.test-help.ts";

const within = (value: number, low: number, high: number): void => {
  expect(value).toBeGreaterThan(low);
  expect(value).toBeLessThan(high);
};
const ended = (outcome: Seen["attempt"]["outcome"]) => (seen: Seen) => seen.attempt.outcome === outcome;

test("calm: everybody is answered at once", async () => {
  const seen = await play("calm");
  expect(seen.every(completed)).toBe(true);
  expect(Math.max(...seen.map(({ attempt }) => (attempt.tStarted ?? 0) - attempt.tReceived))).toBe(0);
});

test("503-burst: 60 % within its ten seconds, none before or after", async () => {
  const seen = await play("503-burst", { seconds: 50 });
  within(share(seen, 20, 30, status(503)), 0.52, 0.68);
  expect(share(seen, 20, 30, (one) => completed(one) || one.status === 503)).toBe(1);
  expect(share(seen, 0, 20, completed)).toBe(1);
  expect(share(seen, 30.1, 50, completed)).toBe(1);
});

test("429-storm: no more than 25 in flight for a minute, and the numbers stand in the refusal", async () => {
  // Answers as long as the scenario means them: 48 in flight.
  const seen = await play("429-storm", { models: tenthOfTheSpeed, tokens: "reasoning=26,content=22" });
  expect(share(seen, 0, 30, completed)).toBe(1);
  within(share(seen, 35, 90, status(429)), 0.3, 0.6);
  expect(share(seen, 90.1, 120, completed)).toBe(1);
  expect(seen.find(status(429))?.body).toMatch(
    /current concurrency is \d+, which exceeds your concurrency limit of 25/,
  );
});

test("balance-drain: 25, 17, 7, 5, then 402 to everybody, then all is well", async () => {
  // A hundred at once in the middle of each phase, so that every limit is met.
  const seen = await play("balance-drain", {
    perSecond: 20,
    tokens: "reasoning=400,content=200",
    tickMs: 500,
  });
  const limits = (fromS: number, toS: number) =>
    new Set(
      seen
        .filter(({ attempt }) => attempt.tReceived >= fromS * 1000 && attempt.tReceived < toS * 1000)
        .flatMap(
          ({ body }) => /concurrency limit of (\d+) based on your remaining balance/.exec(body)?.[1] ?? [],
        ),
    );
  expect([limits(0, 20), limits(20, 40), limits(40, 60), limits(60, 80)]).toEqual(
    ["25", "17", "7", "5"].map((limit) => new Set([limit])),
  );
  expect(share(seen, 80, 110, status(402))).toBe(1);
  expect(share(seen, 110, 150, completed)).toBe(1);
});

test("edge-html: a tenth is HTML with 502 or 504", async () => {
  const seen = await play("edge-html");
  within(share(seen, 0, 60, status(502)), 0.03, 0.07);
  within(share(seen, 0, 60, status(504)), 0.03, 0.07);
  expect(share(seen, 0, 60, (one) => completed(one) || one.body.startsWith("<html>"))).toBe(1);
});

test("stall-5pct: one in twenty is still there when its client leaves", async () => {
  const seen = await play("stall-5pct");
  within(share(seen, 0, 60, ended("client_closed")), 0.03, 0.07);
  expect(share(seen, 0, 60, (one) => completed(one) || ended("client_closed")(one))).toBe(1);
});

test("truncate-2pct: one in fifty ends without a finish reason, and without an error", async () => {
  const seen = await play("truncate-2pct");
  const cut = (one: Seen) => one.status === 200 && readStream(one.body).finish === null;
  within(share(seen, 0, 60, cut), 0.008, 0.04);
  expect(share(seen, 0, 60, (one) => completed(one) !== cut(one))).toBe(1);
});

test("isr-3pct: some before a word, some after", async () => {
  const seen = await play("isr-3pct");
  const given = seen.filter(({ body }) => body.includes("insufficient_system_resource"));
  within(given.length / seen.length, 0.015, 0.05);
  const early = given.filter(({ attempt }) => attempt.tokensWritten === 0);
  expect(early.length).toBeGreaterThan(2);
  expect(given.length - early.length).toBeGreaterThan(2);
});

test("resume: every first attempt is reset in its text, the second of the same call runs through", async () => {
  const asked = { tokens: "reasoning=0,content=240" };
  const seen = await play("resume", { ...asked, seconds: 20, ask: (n) => ({ user_id: `call-${n >> 1}` }) });
  for (const [n, one] of seen.entries()) {
    if (n % 2 === 0) {
      expect(one.attempt.outcome).toBe("faulted");
      expect(one.attempt.tokensWritten).toBeGreaterThanOrEqual(10);
      expect(one.attempt.tokensWritten).toBeLessThanOrEqual(200);
    } else expect(one.attempt.outcome).toBe("completed");
  }
});

test("keepalive-parser: keep-alives and answers of every host, and all of them whole", async () => {
  const seen = await play("keepalive-parser", { tokens: "reasoning=6,content=12" });
  expect(seen.every(completed)).toBe(true);
  expect(share(seen, 60, 80, ({ attempt }) => attempt.keepAlives > 0)).toBeGreaterThan(0.5);
  expect(seen.filter(({ body }) => body.includes(": OPENROUTER PROCESSING")).length).toBeGreaterThan(5);
  expect(seen.every(({ attempt }) => attempt.fault?.startsWith("fragment;bytes=") === true)).toBe(true);
});

test("queue-wall: keep-alives for ten minutes and a clean end, or an answer at 700 s", async () => {
  const seen = await play("queue-wall", { seconds: 740, perSecond: 0.1, patienceMs: Infinity, tickMs: 1000 });
  expect(share(seen, 0, 90, ended("queue_timeout"))).toBe(1);
  expect(share(seen, 110, 740, completed)).toBe(1);
  const early = seen[0] as Seen;
  expect([early.status, early.body.replaceAll(": keep-alive\n\n", "")]).toEqual([200, ""]);
  expect(early.attempt.keepAlives).toBe(49);
  expect(Math.min(...seen.map(({ attempt }) => attempt.tStarted ?? Infinity))).toBe(700_000);
});

test("queue-90s: everybody waits 80 to 100 s with keep-alives, and is answered", async () => {
  const seen = await play("queue-90s", { seconds: 60, patienceMs: Infinity });
  expect(seen.every(completed)).toBe(true);
  const waits = seen.map(({ attempt }) => (attempt.tStarted ?? 0) - attempt.tReceived);
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(80_000);
  expect(Math.max(...waits)).toBeLessThanOrEqual(100_000);
  expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(15_000);
  expect(Math.min(...seen.map(({ attempt }) => attempt.keepAlives))).toBeGreaterThanOrEqual(6);
});

test("queue-90s: a client with a patience of a minute gets nothing at all", async () => {
  const seen = await play("queue-90s", { seconds: 60 });
  expect(seen.every(ended("client_closed"))).toBe(true);
});

test("hedge-tail: one in twenty waits 8 s longer for its first token, in silence", async () => {
  const seen = await play("hedge-tail", { seconds: 60 });
  const wait = ({ attempt }: Seen) => (attempt.tFirstToken ?? 0) - attempt.tReceived;
  const slow = (one: Seen) => wait(one) >= 8000;
  within(share(seen, 0, 60, slow), 0.03, 0.07);
  expect(seen.every(completed)).toBe(true);
  expect(seen.filter(slow).every(({ attempt }) => attempt.keepAlives === 0)).toBe(true);
  expect(Math.max(...seen.filter((one) => !slow(one)).map(wait))).toBeLessThan(1000);
});

test("dup-prompts: nobody is refused at 200 calls a second", async () => {
  const seen = await play("dup-prompts", {
    seconds: 4,
    models: tenthOfTheSpeed,
    tokens: "reasoning=26,content=22",
  });
  expect(seen.every(completed)).toBe(true);
});

/** Each of three machines in turn, as a client that knows them as three hosts. */
const inTurn = (simulator: Simulator, n: number) => simulator.replicaUrl(["a", "b", "c"][n % 3] ?? "a");
const on =
  (replica: string, of: (seen: Seen) => boolean) =>
  (seen: Seen): boolean =>
    seen.attempt.replica === replica && of(seen);

test("brownout-1-of-3: a fifth of 503 and eight times the wait, on b and for two minutes", async () => {
  const seen = await play("brownout-1-of-3", { to: inTurn });
  const onB = (fromS: number, toS: number, of: (seen: Seen) => boolean) =>
    3 * share(seen, fromS, toS, on("b", of));
  within(onB(30, 150, status(503)), 0.14, 0.26);
  const waits = seen
    .filter(on("b", completed))
    .filter(({ attempt }) => attempt.tReceived > 30_000 && attempt.tReceived < 150_000)
    .map(({ attempt }) => (attempt.tFirstToken ?? 0) - attempt.tReceived);
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(2000);
  expect(seen.filter(({ attempt }) => attempt.replica !== "b").every(completed)).toBe(true);
  expect(share(seen, 150.1, 210, completed)).toBe(1);
});

test("black-hole: b answers 503 at once, and nothing else", async () => {
  const seen = await play("black-hole", { seconds: 100, to: inTurn });
  const there = seen.filter(({ attempt }) => attempt.tReceived >= 30_000 && attempt.tReceived < 90_000);
  expect(there.filter(on("b", status(503))).length).toBe(there.length / 3);
  expect(
    Math.max(
      ...there.filter(on("b", () => true)).map(({ attempt: { tEnded, tReceived } }) => tEnded - tReceived),
    ),
  ).toBeLessThanOrEqual(5);
  expect(there.filter((one) => one.attempt.replica !== "b").every(completed)).toBe(true);
  expect(share(seen, 90.1, 100, completed)).toBe(1);
});

test("flap: half of the time nobody reaches b, and what it computed is lost", async () => {
  const calls = await playCalls("flap", { seconds: 130, to: inTurn });
  const [b, others] = [calls.filter((_, n) => n % 3 === 1), calls.filter((_, n) => n % 3 !== 1)];
  expect(share(b, 0, 33, completed)).toBe(1);
  expect(share(b, 33, 35, completed)).toBeLessThan(1); // cut off in the middle
  expect(share(b, 35.1, 39.9, status(0))).toBe(1);
  expect(share(b, 40.1, 43, completed)).toBe(1);
  expect(share(b, 30, 120, status(0))).toBeGreaterThan(0.45);
  expect(share(b, 120.1, 130, completed)).toBe(1);
  expect(others.every(completed)).toBe(true);
});

test("cold-cache-affinity: who comes back to the same machine finds the conversation there", async () => {
  /** Every second the next turn: what was said before, and more. */
  const conversation = (n: number) => ({
    messages: Array.from({ length: 1 + (n % 8) }, (_, turn) => ({
      role: "user",
      content: `conversation ${n >> 3}, turn ${turn}: ${"so many words ".repeat(60)}`,
    })),
  });
  const hits = async (to: (simulator: Simulator, n: number) => string): Promise<number> => {
    const seen = await play("cold-cache-affinity", { seconds: 480, perSecond: 0.25, ask: conversation, to });
    const sum = (of: (attempt: Seen["attempt"]) => number) =>
      seen.reduce((all, { attempt }) => all + of(attempt), 0);
    return sum((attempt) => attempt.cacheHitTokens) / sum((attempt) => attempt.promptTokens);
  };
  const faithful = await hits((simulator, n) => inTurn(simulator, n >> 3));
  expect(faithful).toBeGreaterThan(0.75);
  expect(await hits(inTurn)).toBeLessThan(faithful - 0.25);
});

test("peak-price: the price doubles at one o'clock, for whoever ends after it", async () => {
  const seen = await play("peak-price", { seconds: 240, perSecond: 1, patienceMs: Infinity });
  const tiers = (fromS: number, toS: number) =>
    new Set(
      seen
        .filter(({ attempt }) => attempt.tEnded >= fromS * 1000 && attempt.tEnded < toS * 1000)
        .map(({ attempt }) => attempt.tier),
    );
  expect(tiers(0, 120)).toEqual(new Set(["offpeak"]));
  expect(tiers(120, 250)).toEqual(new Set(["peak"]));
});
