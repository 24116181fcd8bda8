import type { Scenario } from "../scenario.ts";
import { ample } from "./calm.ts";

/** The host sheds load: ten seconds in which more than half of the requests are refused at the door. */
export const burst503: Scenario = {
  name: "503-burst",
  summary: "For ten seconds 60 % of the requests get 503.",
  note:
    "503 'Service is too busy' is what users of 2026 report most, and it comes in bursts. Each request draws for itself, " +
    "so a second attempt helps 40 % of the time: retries are worth it, and a budget decides how many.",
  durationMs: 60_000,
  load: { perSecond: 20, streamed: 0.7 },
  seeds: [1, 2, 3],
  capacity: ample,
  phases: [
    {
      name: "503 for 60 %",
      fromMs: 20_000,
      toMs: 30_000,
      note: "The refusal comes within 0.2 s, as the real one does: it costs an attempt and hardly any time.",
      faults: [{ id: "burst", match: { probability: 0.6 }, action: "503;afterMs=150" }],
    },
  ],
};

/** The account's limit falls below what is in flight, and comes back. */
export const storm429: Scenario = {
  name: "429-storm",
  summary: "The account's limit falls from 2500 to 25 for a minute.",
  note:
    "DeepSeek documents 2500 requests in flight and lowers the limit without a word; 25 is the limit whose full message " +
    "is known. An answer takes about 2.4 s here, so 20 calls a second are 48 in flight: nearly twice what fits.",
  durationMs: 120_000,
  load: { perSecond: 20, streamed: 0.7 },
  seeds: [1, 2, 3],
  capacity: ample,
  phases: [
    {
      name: "limit of 25",
      fromMs: 30_000,
      toMs: 90_000,
      concurrency: 25,
      note: "Both numbers stand in the text of the 429. Whoever reads them knows at once how much fits.",
    },
  ],
};

/** Money runs out: the limit shrinks with the balance until nothing is left, then somebody tops up. */
export const balanceDrain: Scenario = {
  name: "balance-drain",
  summary: "The balance falls, the limit with it: 25, 17, 7, 5, then 402, then a top-up.",
  note:
    "Users report limits of 25, 17, 7 and 5 as their balance shrinks, and the 429 says 'based on your remaining balance'. " +
    "Two requests in flight per dollar and never fewer than 5 gives that row for the balances below. Nothing but the " +
    "top-up ends a 402: every completion that is sent meanwhile is sent in vain.",
  durationMs: 150_000,
  load: { perSecond: 4, streamed: 0.7 },
  seeds: [1, 2, 3],
  capacity: ample,
  balanceScaling: { perUsd: 2, minLimit: 5 },
  phases: [
    {
      name: "limit of 25",
      fromMs: 0,
      toMs: 20_000,
      balanceUsd: 12.9,
      note: "12.90 dollars: enough for 25 requests at once. Answers cost so little that the balance only falls in steps.",
    },
    {
      name: "limit of 17",
      fromMs: 20_000,
      toMs: 40_000,
      balanceUsd: 8.9,
      note: "8.90 dollars left, as if a colleague's batch had run on the same account.",
    },
    {
      name: "limit of 7",
      fromMs: 40_000,
      toMs: 60_000,
      balanceUsd: 3.9,
      note: "3.90 dollars left: fewer may be in flight than a calm load of 4 a second needs.",
    },
    {
      name: "limit of 5",
      fromMs: 60_000,
      toMs: 80_000,
      balanceUsd: 1,
      note: "One dollar left: the lowest limit that was ever reported, whatever remains.",
    },
    {
      name: "402",
      fromMs: 80_000,
      toMs: 110_000,
      balanceUsd: 0,
      note: "Nothing left: every completion answers 402 Insufficient Balance, at once.",
    },
    {
      name: "topped up",
      fromMs: 110_000,
      balanceUsd: 100,
      note: "A hundred dollars later everything fits again. No header tells: only a request finds out.",
    },
  ],
};

/** The edge in front of the API answers for it, with HTML. */
export const edgeHtml: Scenario = {
  name: "edge-html",
  summary: "A tenth of the requests gets 502 or 504 with a page of HTML.",
  note:
    "The edge answers when what is behind it does not. The body is HTML under a JSON client's feet: a client that parses " +
    "it first throws a syntax error, and takes the server's trouble for its own mistake.",
  durationMs: 60_000,
  load: { perSecond: 10, streamed: 0.7 },
  seeds: [1, 2, 3],
  capacity: ample,
  phases: [
    {
      name: "HTML of the edge",
      fromMs: 0,
      note: "Half of them is 502 and half 504. The second rule sees only what the first has left, so it takes 1/19.",
      faults: [
        { id: "edge-502", match: { probability: 0.05 }, action: "502_html" },
        { id: "edge-504", match: { probability: 0.0526 }, action: "504_html" },
      ],
    },
  ],
};
