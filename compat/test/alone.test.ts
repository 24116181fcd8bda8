import type { FaultAction } from "@breakwater/simulator";
import { describe, expect, test } from "vitest";

import { type Observation, observe } from "../src/observe.ts";
import { loadSdk, runnable } from "../src/sdks/catalogue.ts";

/**
 * What the SDKs do without Breakwater: in about half of these conditions they end silently, call a broken answer a good
 * one, or never end. It is the reason for this library, and tells when an SDK changes.
 */
interface Row {
  readonly what: string;
  readonly fault: FaultAction;
  /** The SDK's own time limit in real ms, in the place of its ten minutes. */
  readonly timeoutMs?: number;
  /** What is seen, and how often the host is asked; with two retries of openai's, and one of the AI SDK's. */
  readonly seen: Readonly<Record<"openai 6" | "openai 7" | "ai 6" | "ai 7", string>>;
}

const all = (openai: string, ai: string): Row["seen"] => ({
  "openai 6": openai,
  "openai 7": openai,
  "ai 6": ai,
  "ai 7": ai,
});

const WHOLE: readonly Row[] = [
  {
    what: "a minute in the queue",
    fault: { name: "queue_for", ms: 60_000 },
    seen: all("complete, asked 1", "complete, asked 1"),
  },
  {
    what: "a queue that gives up",
    fault: "blank_then_eof",
    seen: all("SyntaxError, asked 1", "APICallError, asked 1"),
  },
  {
    what: "a reset after the headers",
    fault: "reset_after_headers",
    seen: all("TypeError, asked 1", "RetryError, asked 2"),
  },
  {
    what: "a queue without an end",
    fault: "queue_forever",
    timeoutMs: 600,
    seen: {
      ...all("hangs, asked 1", "hangs, asked 1"),
      "openai 7": "APIConnectionTimeoutError, asked 3",
    },
  },
  {
    what: "an empty body",
    fault: "empty_200",
    // Version 7 answers `undefined`, which is found out by whoever reads it.
    seen: { ...all("SyntaxError, asked 1", "APICallError, asked 1"), "openai 7": "TypeError, asked 1" },
  },
  {
    what: "a body that breaks off",
    fault: "malformed_json",
    seen: all("SyntaxError, asked 1", "APICallError, asked 1"),
  },
  {
    what: "an empty answer",
    fault: "empty_content",
    seen: all("nothing (stop), asked 1", "nothing (stop), asked 1"),
  },
  {
    what: "an interrupted answer",
    fault: "isr",
    seen: all("nothing (insufficient_system_resource), asked 1", "nothing (error), asked 1"),
  },
  { what: "503", fault: "503", seen: all("InternalServerError, asked 3", "RetryError, asked 2") },
  { what: "429", fault: "429_plain", seen: all("RateLimitError, asked 3", "RetryError, asked 2") },
  {
    what: "502 in HTML",
    fault: "502_html",
    seen: all("InternalServerError, asked 3", "RetryError, asked 2"),
  },
  { what: "402", fault: "402", seen: all("APIError, asked 1", "APICallError, asked 1") },
];

const STREAMED: readonly Row[] = [
  {
    what: "an end without a finish",
    fault: "truncate_clean",
    seen: all("prefix (no reason), asked 1", "prefix (other), asked 1"),
  },
  {
    what: "a queue that gives up",
    fault: "keepalive_then_eof",
    seen: all("nothing (no reason), asked 1", "nothing (other), asked 1"),
  },
  { what: "a reset", fault: "reset_mid_stream", seen: all("TypeError, asked 1", "APICallError, asked 1") },
  {
    what: "an error event",
    fault: "error_event",
    seen: { ...all("APIError, asked 1", "string, asked 1"), "ai 7": "StreamProviderError, asked 1" },
  },
  {
    what: "garbage, then the end",
    fault: "garbage_then_eof",
    seen: all("prefix (no reason), asked 1", "prefix (other), asked 1"),
  },
  { what: "a stall", fault: "stall_after", seen: all("hangs, asked 1", "hangs, asked 1") },
  { what: "a queue without an end", fault: "queue_forever", seen: all("hangs, asked 1", "hangs, asked 1") },
  {
    what: "JSON in its place",
    fault: "json_instead_of_sse",
    seen: all("nothing (no reason), asked 1", "nothing (other), asked 1"),
  },
];

function inWords({ attempts, ended, error, finish, text }: Observation): string {
  const what = ended === "threw" ? error : ended;
  if (ended !== "answered") return `${what}, asked ${attempts}`;
  return `${text === "complete" ? text : `${text} (${finish ?? "no reason"})`}, asked ${attempts}`;
}

const known = runnable.filter((name): name is keyof Row["seen"] => name in all("", ""));

describe.each(known)("%s alone", async (name) => {
  const sdk = await loadSdk(name);
  const maxRetries = name.startsWith("openai") ? 2 : 1;

  // At the same time, because an SDK that asks again waits in real time.
  test.concurrent.each(WHOLE)("whole, $what", async ({ seen, what: _, ...row }) => {
    const observed = await observe(sdk, { ...row, stream: false, direct: true, maxRetries });
    expect(inWords(observed)).toBe(seen[name]);
  });

  test.concurrent.each(STREAMED)("streamed, $what", async ({ seen, what: _, ...row }) => {
    const observed = await observe(sdk, { ...row, stream: true, direct: true, maxRetries });
    expect(inWords(observed)).toBe(seen[name]);
  });
});
