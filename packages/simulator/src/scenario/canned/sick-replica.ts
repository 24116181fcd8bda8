import type { Scenario } from "../scenario.ts";

/** Three machines, of which two can carry the load alone. */
const three = [
  { name: "a", slots: 64, queue: 256 },
  { name: "b", slots: 64, queue: 256 },
  { name: "c", slots: 64, queue: 256 },
] as const;
const usual = { load: { perSecond: 15, streamed: 0.7 }, seeds: [1, 2, 3], replicas: three } as const;

/** One of three is slow and fails now and then: too well to be dead, too sick to be used. */
export const brownout1of3: Scenario = {
  ...usual,
  name: "brownout-1-of-3",
  summary: "One of three machines needs eight times as long and answers every fifth request with 503.",
  note:
    "Nothing tells a client that the machine is sick but its own measurements: four of five answers are right, and late. " +
    "Take each machine for a host of its own (/r/a, /r/b, /r/c): the others can carry all of the load.",
  durationMs: 210_000,
  phases: [
    {
      name: "b is sick",
      fromMs: 30_000,
      toMs: 150_000,
      note: "Two minutes; eight times the time to the first token, half the speed, a fifth of 503.",
      replicas: { b: { brownout: { latencyX: 8, tpsX: 0.5, errorRate: 0.2 } } },
    },
  ],
};

/** One of three fails faster than the others succeed. */
export const blackHole: Scenario = {
  ...usual,
  name: "black-hole",
  summary: "One of three machines answers 503 within 5 ms, to everybody.",
  note:
    "Whoever sends to the machine with the fewest requests in flight, or with the shortest answers, sends everything " +
    "there: a machine that fails at once always looks free and fast.",
  durationMs: 120_000,
  phases: [
    {
      name: "b swallows everything",
      fromMs: 30_000,
      toMs: 90_000,
      note: "A minute. 503 at once and always, as from a proxy whose backend is gone.",
      replicas: { b: { brownout: { errorRate: 1 } } },
    },
  ],
};

/** One of three goes and comes. */
export const flap: Scenario = {
  ...usual,
  name: "flap",
  summary: "One of three machines is up for 5 s and down for 5 s, over and over.",
  note:
    "A machine that restarts in a loop: each time it is up, probes succeed and traffic comes back, just in time to be " +
    "broken. Connections to it are reset, and what it computed is lost.",
  durationMs: 150_000,
  phases: [
    {
      name: "b flaps",
      fromMs: 30_000,
      toMs: 120_000,
      note: "Nine times down within a minute and a half.",
      replicas: { b: { flap: { upMs: 5_000, downMs: 5_000 } } },
    },
  ],
};
