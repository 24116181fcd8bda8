import type { Scenario } from "../scenario.ts";

/**
 * Five minutes of an evening on which more is asked of DeepSeek than it can do.
 *
 * What is known and what is chosen: the *kinds* of trouble, their bytes and their order are reported by users of the
 * API; the *rates* are not published by anybody, and are chosen within what reports call "a few per cent" of long
 * streams and "bursts" of refusals. Change them and see what your client does.
 */
export const busyEvening: Scenario = {
  name: "busy-evening",
  summary: "Five minutes of queue, 503, 429, slow and broken streams: everything that users report.",
  note:
    "One machine with 40 slots. At full load a stream runs at 115 tokens a second; an answer has 480 tokens on average " +
    "(medians are 220 of reasoning and 180 of text, and lengths are log-normal), so it takes 4.4 s and the machine " +
    "finishes 9 a second. Bring 8 requests a second: a machine that is well used before the evening begins, and by " +
    "Little's law about 35 of your requests in flight.",
  durationMs: 300_000,
  load: { perSecond: 8, streamed: 0.7 },
  seeds: [7, 8, 9],
  capacity: { slots: 40, queue: 200, keepAliveMs: 12_000, queueTimeoutMs: 600_000 },
  phases: [
    {
      name: "background of broken streams",
      fromMs: 0,
      toMs: 300_000,
      note:
        "All evening long. Silent stalls in the middle of a stream and clean ends without a finish reason are reported " +
        "for a few per cent of long streams (2 % and 1.5 % here). A stream stalls anywhere, so the place is drawn from " +
        "the whole median answer; most stalls therefore fall into the reasoning, before a user has read a word. " +
        "insufficient_system_resource (1 %) comes half of the time before any token, half after some. " +
        "Resets are rarer than clean ends (0.5 %).",
      faults: [
        { id: "stall", match: { probability: 0.02 }, action: "stall_after;tokens=1..400" },
        { id: "cut", match: { probability: 0.015 }, action: "truncate_clean;tokens=1..400" },
        { id: "isr-early", match: { probability: 0.005 }, action: "isr;tokens=0" },
        { id: "isr-late", match: { probability: 0.005 }, action: "isr;tokens=1..200" },
        { id: "reset", match: { probability: 0.005 }, action: "reset_mid_stream;tokens=0..400" },
      ],
    },
    {
      name: "the queue builds up",
      fromMs: 60_000,
      toMs: 120_000,
      capacity: { slots: 24 },
      note:
        "Two fifths of the machine go to somebody else: 5.4 answers a second for 8 requests is an overload of 1.5. The " +
        "queue grows by 2.6 a second to about 160, so that at the end a request waits half a minute with 200, headers " +
        "and a keep-alive every 12 s (the interval that was seen in packet captures). Nobody is refused yet.",
    },
    {
      name: "bursts of 503",
      fromMs: 120_000,
      toMs: 150_000,
      note:
        "503 within 0.2 s, 'Service is too busy', is the most frequent report of 2026. It comes in bursts and is not " +
        "spread evenly: here 60 % of requests for 30 s, some of them with the HTML page of the edge instead. This is " +
        "how the host sheds load: the machine is whole again and works off its queue meanwhile.",
      faults: [
        { id: "burst-504", match: { probability: 0.05 }, action: "504_html;afterMs=200" },
        { id: "burst-503", match: { probability: 0.58 }, action: "503;afterMs=200" },
      ],
    },
    {
      name: "the account's limit shrinks",
      fromMs: 150_000,
      toMs: 210_000,
      concurrency: 25,
      note:
        "429 on the account's concurrency, with both numbers in the text. Reported limits of accounts with little " +
        "balance are 5, 17, 20, 25 and 39; 25 is the one whose full message is known. 35 in flight do not fit into 25: " +
        "a client that learns the number loses nothing but a little time, one that hammers is refused again and again.",
    },
    {
      name: "slow first tokens",
      fromMs: 210_000,
      toMs: 255_000,
      capacity: { slots: 96, decodeSpeed: 0.5 },
      note:
        "The limit is back, the host has moved load to a larger and slower machine: streams run at half their speed, and " +
        "one request in twenty waits 8 s for its first token with nothing on the wire, which is where a hedge pays.",
      faults: [{ id: "slow-start", match: { probability: 0.05 }, action: "slow_first_token;ms=8000" }],
    },
    {
      name: "recovery",
      fromMs: 255_000,
      toMs: 300_000,
      note:
        "Full strength; the broken streams of the whole evening remain. Breakers and limits of a client should come back " +
        "within this phase.",
    },
  ],
};
