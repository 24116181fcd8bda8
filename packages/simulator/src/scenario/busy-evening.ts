import type { Scenario } from "./scenario.ts";

/**
 * Five minutes of an evening on which more is asked of DeepSeek than it can do.
 *
 * What is known and what is chosen: the *kinds* of trouble, their bytes and their order are reported by users of the
 * API; the *rates* are not published by anybody, and are chosen within what reports call "a few per cent" of long
 * streams and "bursts" of refusals. Change them and see what your client does.
 */
export const busyEvening: Scenario = {
  name: "busy-evening",
  note:
    "One machine with 32 slots. At full load a stream runs at 115 tokens a second, so a median answer (220 tokens of " +
    "reasoning and 180 of text) takes 3.7 s and the machine finishes about 8.5 answers a second. Bring 11 requests a " +
    "second for an overload of 1.3, which is what this evening was drawn for.",
  capacity: { slots: 32, queue: 200, keepAliveMs: 12_000, queueTimeoutMs: 600_000 },
  phases: [
    {
      name: "background of broken streams",
      fromMs: 0,
      toMs: 300_000,
      note:
        "All evening long. Silent stalls in the middle of a stream and clean ends without a finish reason are reported for a few " +
        "per cent of long streams (2 % and 1.5 % here). A stream stalls anywhere, so the place is drawn from the whole " +
        "median answer; most stalls therefore fall into the reasoning, before a user has read a word. " +
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
      toMs: 150_000,
      capacity: { slots: 16 },
      note:
        "Half of the machine goes to somebody else. At 11 requests a second the queue of 200 is full after half a " +
        "minute: requests get 200 and a keep-alive every 12 s while they wait (the interval was seen in packet " +
        "captures), and from then on everything beyond the queue gets a fast 503.",
    },
    {
      name: "bursts of 503",
      fromMs: 150_000,
      toMs: 170_000,
      capacity: { slots: 16 },
      note:
        "503 within 0.2 s, 'Service is too busy', is the most frequent report of 2026. It comes in bursts and is not " +
        "spread evenly: 60 % of requests for 20 s, of which some carry the HTML page of the edge instead.",
      faults: [
        { id: "burst-503", match: { probability: 0.55 }, action: "503;afterMs=200" },
        { id: "burst-504", match: { probability: 0.05 }, action: "504_html;afterMs=200" },
      ],
    },
    {
      name: "the account's limit shrinks",
      fromMs: 170_000,
      toMs: 230_000,
      concurrency: 25,
      note:
        "429 on the account's concurrency, with both numbers in the text. Reported limits of accounts with little " +
        "balance are 5, 17, 20, 25 and 39; 25 is the one whose full message is known. It is below the 32 slots, so " +
        "that the limit, not the machine, is what refuses.",
    },
    {
      name: "slow first tokens",
      fromMs: 230_000,
      toMs: 270_000,
      capacity: { decodeSpeed: 0.5 },
      note:
        "The limit is back; the machine is slow. One request in twenty waits 8 s for its first token with nothing on " +
        "the wire, which is where a hedge pays, and streams run at half their speed.",
      faults: [{ id: "slow-start", match: { probability: 0.05 }, action: "slow_first_token;ms=8000" }],
    },
    {
      name: "recovery",
      fromMs: 270_000,
      toMs: 300_000,
      note: "Full strength; the broken streams of the whole evening remain. A client's breakers and limits should come back.",
    },
  ],
};
