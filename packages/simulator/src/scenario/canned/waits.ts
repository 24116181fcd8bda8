import type { Scenario } from "../scenario.ts";
import { ample } from "./calm.ts";

/** Nobody is computed for longer than DeepSeek's own limit. */
export const queueWall: Scenario = {
  name: "queue-wall",
  summary: "Nothing is computed for 700 s: every request waits with 200 and keep-alives.",
  note:
    "The headers say 200 and a keep-alive comes every 12 s, so nothing looks broken; after 600 s DeepSeek closes without " +
    "an answer. A client needs its own limit on the wait for the first token, and another place to go.",
  durationMs: 760_000,
  load: { perSecond: 0.5, streamed: 0.7 },
  seeds: [1, 2, 3],
  capacity: { slots: 1024, queue: 10_000, queueTimeoutMs: 600_000, keepAliveMs: 12_000 },
  phases: [
    {
      name: "the wall",
      fromMs: 0,
      toMs: 700_000,
      capacity: { slots: 0 },
      note: "No slot at all. Whoever came in the first 100 s is sent away empty; the others are served at 700 s.",
    },
  ],
};

/** Long waits that end well: the client that gives up too early gets nothing. */
export const queue90s: Scenario = {
  name: "queue-90s",
  summary: "Every first token waits for about 90 s, with keep-alives, and then comes.",
  note:
    "DeepSeek promises to compute what has started within ten minutes, and on busy days it takes that time. A client " +
    "with a first-token limit of a minute and nowhere else to go fails every call here, and one that asks again joins " +
    "the tail of the queue again.",
  durationMs: 240_000,
  load: { perSecond: 2, streamed: 0.7 },
  seeds: [1, 2, 3],
  capacity: { ...ample, keepAliveMs: 12_000 },
  phases: [
    {
      name: "a queue of 90 s",
      fromMs: 0,
      note: "80 to 100 s, drawn for each request; seven keep-alives, then a healthy answer.",
      faults: [{ id: "queued", action: "queue_for;ms=80000..100000" }],
    },
  ],
};

/** A few slow starts: where asking twice pays. */
export const hedgeTail: Scenario = {
  name: "hedge-tail",
  summary: "One request in twenty waits 8 s for its first token, in silence.",
  note:
    "Without load, so that the second request costs nobody else anything: the ninety-ninth percentile of the first " +
    "token is 8 s for whoever waits, and the median of a healthy request for whoever asks twice.",
  durationMs: 120_000,
  load: { perSecond: 10, streamed: 1 },
  seeds: [1, 2, 3],
  capacity: ample,
  phases: [
    {
      name: "slow starts",
      fromMs: 0,
      note: "5 %, drawn for each request; 200 and its headers come at once, and then nothing for 8 s.",
      faults: [{ id: "slow", match: { probability: 0.05 }, action: "slow_first_token;ms=8000" }],
    },
  ],
};
