import type { LengthSettings, Scenario, ScenarioPhase } from "@breakwater/simulator";

import { BACKGROUND } from "./bands.ts";

export const severities = ["light", "evening", "hopeless"] as const;
export type Severity = (typeof severities)[number];

/** What happens on one evening, at DeepSeek and at the second host. */
export interface Evening {
  readonly summary: string;
  /** Users ask during this time. What they asked may be answered later. */
  readonly durationMs: number;
  readonly deepseek: Scenario;
  readonly second: Scenario;
}

const second = 1_000;
const minute = 60 * second;
const durationMs = 6 * minute;

// THE MACHINE, the same on all three evenings.
//
// Users ask `deepseek-v4-pro` without thinking. A single stream runs at 110 tokens a second, at full load at half of
// that; answers are log-normal around 90 tokens, a paragraph, and 108 in the mean. On 8 slots that is 3.5 answers a
// second at full load. 500 users who ask once in six minutes bring 1.4 a second, and 1.9 at the height of the evening:
// the machine is half busy when nothing is wrong with it.
const capacity = { slots: 8, queue: 100, keepAliveMs: 12 * second, queueTimeoutMs: 10 * minute };

/** How long answers are, at both hosts. */
export const TEXT: LengthSettings = { contentMedian: 90, sigma: 0.6 };

/**
 * Streams that break. Nobody publishes rates; users report a few per cent of long streams that stall without a byte
 * or an error, about as many that end cleanly in the middle, and answers that finish with
 * `insufficient_system_resource`. The place is drawn from 1 to 90 tokens, the median answer. ISR comes half of the
 * time before any token. Resets are reported less often than clean ends.
 */
function brokenStreams(fromMs: number, toMs: number, rate: number): ScenarioPhase {
  const percent = (share: number): string => `${Number((100 * share * rate).toFixed(2))} %`;
  return {
    name: BACKGROUND,
    fromMs,
    toMs,
    note:
      `${percent(0.03)} stall for ever in the middle, ${percent(0.02)} end cleanly in the middle, ${percent(0.03)} finish with ` +
      `insufficient_system_resource (half of them before any token), ${percent(0.005)} are reset.`,
    faults: [
      { id: "stall", match: { probability: 0.03 * rate }, action: "stall_after;tokens=1..90" },
      { id: "cut", match: { probability: 0.02 * rate }, action: "truncate_clean;tokens=1..90" },
      { id: "isr-early", match: { probability: 0.015 * rate }, action: "isr;tokens=0" },
      { id: "isr-late", match: { probability: 0.015 * rate }, action: "isr;tokens=1..90" },
      { id: "reset", match: { probability: 0.005 * rate }, action: "reset_mid_stream;tokens=0..90" },
    ],
  };
}

function burst(fromMs: number, toMs: number, probability: number): ScenarioPhase {
  return {
    name: "503",
    fromMs,
    toMs,
    note:
      `${Math.round(100 * probability)} % of requests get 503 "Service is too busy" after 0.2 s, as it is measured; one in ten of these ` +
      "carries the HTML page of the edge instead. Bursts of this kind are the most frequent report of 2026.",
    faults: [
      { id: "burst-503", match: { probability: probability * 0.9 }, action: "503;afterMs=200" },
      { id: "burst-504", match: { probability: probability * 0.1 }, action: "504_html;afterMs=200" },
    ],
  };
}

// Rules of an earlier phase go first: a request that gets a 503 never comes to have a stream that breaks.
const evening: Scenario = {
  name: "evening",
  note:
    "Six minutes that have in them what is otherwise spread over weeks. The kinds of trouble, their bytes and the " +
    "numbers in them are reported by users of the API; the rates are a choice within what the reports say.",
  capacity,
  phases: [
    {
      name: "queue",
      fromMs: 45 * second,
      toMs: 150 * second,
      capacity: { slots: 1 },
      note:
        "Seven eighths of the machine go to somebody else. Requests get 200 at once, then a keep-alive every 12 s (seen " +
        "in packet captures) while they wait, for a minute and more; what finds 100 others waiting gets a 503. Waits of " +
        "minutes were normal in January and February of 2025.",
    },
    burst(195 * second, 215 * second, 0.6),
    burst(230 * second, 250 * second, 0.6),
    {
      name: "429",
      fromMs: 260 * second,
      toMs: 310 * second,
      concurrency: 7,
      note:
        "The account's limit falls with its balance, and what exceeds it gets 429. Limits of 5, 7, 17, 20, 25 and 39 are " +
        "reported. 7 was chosen because it is felt: 4 streams are in flight here, and a stream counts until its end, so " +
        "those that hang and are not given up fill the limit. 17 and more are hardly felt by any column; README.md has the " +
        "figures.",
    },
    brokenStreams(45 * second, 315 * second, 1),
  ],
};

const light: Scenario = {
  name: "light",
  note: "An ordinary evening: one short burst of refusals, and a third of the broken streams.",
  capacity,
  phases: [burst(180 * second, 190 * second, 0.3), brokenStreams(45 * second, 315 * second, 1 / 3)],
};

const outage: ScenarioPhase = {
  name: "outage",
  fromMs: 45 * second,
  note:
    "Until the end 19 of 20 requests are refused with 503, the others wait in a queue that does not move. There is no " +
    "answer to be had, and no policy can make one; what can differ is how long a user is left waiting to be told.",
  faults: [
    { id: "outage-503", match: { probability: 0.95 }, action: "503;afterMs=200" },
    { id: "outage-queue", action: "queue_forever" },
  ],
};

const hopeless: Scenario = { name: "hopeless", capacity, phases: [outage] };

// A second host with the same model: a third-party one, whose single streams are reported at 112 tokens a second and
// whose first tokens come after 0.9 s. It has room for everybody and troubles of its own: one request in a hundred is
// refused, and a sixth of DeepSeek's broken streams.
const secondCapacity = { slots: 32, queue: 100, prefillMs: 900 };
const mild: Scenario = {
  name: "second-host",
  capacity: secondCapacity,
  phases: [
    {
      name: "refusals",
      fromMs: 0,
      note: "One request in a hundred.",
      faults: [{ id: "second-503", match: { probability: 0.01 }, action: "503_flat;afterMs=200" }],
    },
    brokenStreams(0, durationMs, 1 / 6),
  ],
};

export const evenings: Readonly<Record<Severity, Evening>> = {
  light: {
    summary: "one short burst of 503, 2.8 % broken streams",
    durationMs,
    deepseek: light,
    second: mild,
  },
  evening: {
    summary: "a queue of minutes, two bursts of 503, an account limit of 7, 8.5 % broken streams",
    durationMs,
    deepseek: evening,
    second: mild,
  },
  hopeless: {
    summary: "after 45 s no answer is to be had, at DeepSeek or elsewhere",
    durationMs,
    deepseek: hopeless,
    // Everybody goes there, and it falls over as well.
    second: { name: "second-host-hopeless", capacity: secondCapacity, phases: [outage] },
  },
};
