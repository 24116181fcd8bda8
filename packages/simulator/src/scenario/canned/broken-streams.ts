import type { Personality } from "../../wire/dialects.ts";
import type { Scenario } from "../scenario.ts";
import { ample } from "./calm.ts";

const usual = { durationMs: 60_000, seeds: [1, 2, 3], capacity: ample } as const;

/** Streams fall silent and stay open. */
export const stall5pct: Scenario = {
  ...usual,
  name: "stall-5pct",
  summary: "One stream in twenty falls silent for ever.",
  note:
    "A silent stall has no end and no error: only a clock of the client's own notices. The place is drawn from the whole " +
    "median answer, so most stalls fall into the reasoning, before a user has read a word.",
  load: { perSecond: 10, streamed: 1 },
  phases: [
    {
      name: "stalls",
      fromMs: 0,
      note: "Anywhere from the first token to the 400th; in a shorter answer before its last token.",
      faults: [{ id: "stall", match: { probability: 0.05 }, action: "stall_after;tokens=1..400" }],
    },
  ],
};

/** Streams end as if they were whole. */
export const truncate2pct: Scenario = {
  ...usual,
  name: "truncate-2pct",
  summary: "One stream in fifty ends cleanly in the middle, without a finish reason.",
  note:
    "The end of the body is proper, so nothing in HTTP tells that the answer is cut. Only the missing finish reason and " +
    "the missing [DONE] do, and clients that do not look for them show half an answer as a whole one.",
  load: { perSecond: 10, streamed: 1 },
  phases: [
    {
      name: "clean cuts",
      fromMs: 0,
      note: "2 %, drawn for each request; anywhere from the first token to the 400th.",
      faults: [{ id: "cut", match: { probability: 0.02 }, action: "truncate_clean;tokens=1..400" }],
    },
  ],
};

/** The host gives an answer up and says so in its last event. */
export const isr3pct: Scenario = {
  ...usual,
  name: "isr-3pct",
  summary: "3 % of the answers finish with insufficient_system_resource, half of them before a word.",
  note:
    "The status was 200 and the stream ends properly, with [DONE]; the truth stands in the finish reason alone. DeepSeek " +
    "documents it as an interruption for lack of resources. Half come before any token, where a retry is invisible.",
  load: { perSecond: 10, streamed: 0.7 },
  phases: [
    {
      name: "given up",
      fromMs: 0,
      note: "The second rule sees only what the first has left: 1.5 % each, and 3 % together.",
      faults: [
        { id: "isr-early", match: { probability: 0.015 }, action: "isr;tokens=0" },
        { id: "isr-late", match: { probability: 0.0152 }, action: "isr;tokens=1..200" },
      ],
    },
  ],
};

/** Every call is cut once, and may be continued where it was cut. */
export const resume: Scenario = {
  ...usual,
  name: "resume",
  summary: "The first attempt of every call is reset after 10 to 200 tokens of text.",
  note:
    "Chat prefix completion (/beta) continues an answer at the token where it broke. What was delivered and what is " +
    "continued are together the uninterrupted answer, to the byte: verifyText tells. Without reasoning, because a " +
    "prefix cannot carry it.",
  load: { perSecond: 5, streamed: 1, tokens: "reasoning=0,content=240", idPerCall: true },
  phases: [
    {
      name: "one reset per call",
      fromMs: 0,
      note: "Counted for each x-sim-id: the second attempt of the same call runs through.",
      faults: [{ id: "reset", match: { perScope: true, nth: 1 }, action: "reset_mid_stream;tokens=10..200" }],
    },
  ],
};

const everyHost: readonly Personality[] = ["deepseek", "openai", "openrouter", "siliconflow"];

/** Nothing is broken but the reader that cannot read. */
export const keepaliveParser: Scenario = {
  name: "keepalive-parser",
  summary: "Keep-alives and events in pieces of 1 to 7 bytes, from every host in turn.",
  note:
    "Bytes come as the network likes: an event may be cut in its name, in a number or in the middle of a character, and " +
    "a keep-alive may stand between any two. What is right in one piece must be right in a hundred. Start the simulator " +
    "with unicode text, so that characters have several bytes.",
  durationMs: everyHost.length * 20_000,
  load: { perSecond: 2, streamed: 0.7, tokens: "reasoning=6,content=12" },
  seeds: [1, 2, 3],
  // Slow enough that everybody waits a little, and a keep-alive every quarter of a second meanwhile.
  capacity: { slots: 1, queue: 1024, keepAliveMs: 250, decodeSpeed: 0.5 },
  phases: everyHost.map((personality, index) => ({
    name: personality,
    fromMs: index * 20_000,
    toMs: (index + 1) * 20_000,
    personality,
    note: "Each host has its own keep-alive and its own number of tokens in an event; the pieces cut all of them.",
    faults: [{ id: `pieces-${personality}`, action: "fragment;bytes=1..7" }],
  })),
};
