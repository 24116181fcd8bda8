import { expect, test } from "vitest";

import { play, share, tenthOfTheSpeed, type Seen } from "./play.test-help.ts";

const seconds = 300;

test("under its own load everything happens that its notes promise", async () => {
  // No streams: there is less to write.
  const lengths = { models: tenthOfTheSpeed, text: { contentMedian: 18, reasoningMedian: 22 }, tokens: "" };
  const seen = await play("busy-evening", { ...lengths, ask: () => ({ stream: false }) });
  const of = (fromS: number, toS: number, holds: (attempt: Seen["attempt"]) => boolean): number =>
    share(seen, fromS, toS, ({ attempt }) => holds(attempt));
  const shares = {
    completed: of(0, seconds, ({ outcome }) => outcome === "completed"),
    calm: of(0, 60, ({ outcome }) => outcome === "completed"),
    waited: of(90, 120, ({ keepAlives }) => keepAlives > 0),
    busy: of(120, 150, ({ status }) => status === 503 || status === 504),
    html: of(120, 150, ({ status }) => status === 504),
    limited: of(150, 210, ({ status }) => status === 429),
    recovered: of(265, 300, ({ outcome }) => outcome === "completed"),
    stalled: of(0, seconds, ({ fault }) => fault?.startsWith("stall_after") === true),
    cut: of(0, seconds, ({ fault }) => fault?.startsWith("truncate_clean") === true),
  };
  const within = (name: keyof typeof shares, low: number, high: number): void => {
    expect
      .soft({ [name]: shares[name] > low && shares[name] < high, shares })
      .toEqual({ [name]: true, shares });
  };
  within("completed", 0.6, 0.9);
  within("calm", 0.9, 0.99);
  within("waited", 0.5, 1.01);
  within("busy", 0.5, 0.75);
  within("html", 0.01, 0.12);
  within("limited", 0.1, 0.6);
  within("recovered", 0.85, 0.99);
  within("stalled", 0.01, 0.03);
  within("cut", 0.005, 0.025);
  const waiting = seen.filter(({ attempt: { tQueued = Infinity, tStarted, tEnded } }) => {
    return tQueued <= 118_000 && (tStarted ?? tEnded) > 118_000;
  });
  expect(waiting.length).toBeGreaterThan(100);
}, 20_000);
