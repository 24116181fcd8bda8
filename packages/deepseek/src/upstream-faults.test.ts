import { createClient } from "@breakwater/core";
import { faultNames, type Simulator, startSimulator } from "@breakwater/simulator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { essence, inUse, readAll } from "./fake-fetch.test-help.ts";
import { type ChatRequest, isStream } from "./types.ts";
import { deepseekUpstream } from "./upstream.ts";

// Over real sockets, a hundred times as fast: ten minutes in the queue are six seconds.
const SPEED = 0.01;
let sim: Simulator;
beforeAll(async () => {
  // Slow enough that tokens come one by one: what comes in one packet with a fault was never given out.
  sim = await startSimulator({
    timeScale: SPEED,
    capacity: { decodeSpeed: 0.003 },
    text: { contentMedian: 20, reasoningMedian: 5 },
  });
});
afterAll(() => sim.close());

const request = {
  model: "deepseek-flash",
  messages: [{ role: "user", content: "Hello" }],
  max_tokens: 400,
} satisfies ChatRequest;

/** What the fault comes to for a caller of JSON, and of a stream: a code, or what its reader gets. */
type Fate = string | { readonly reads: "all" | "some" | "nothing"; readonly error?: string };
const ALL: Fate = { reads: "all" };

const FATES: Readonly<Record<string, readonly [json: Fate, stream: Fate]>> = {
  none: [ALL, ALL],
  "400": ["INVALID_REQUEST", "INVALID_REQUEST"],
  "400_context": ["CONTEXT_WINDOW", "CONTEXT_WINDOW"],
  "400_model": ["MODEL_NOT_FOUND", "MODEL_NOT_FOUND"],
  "400_reasoning": ["INVALID_REQUEST", "INVALID_REQUEST"],
  "401": ["AUTH", "AUTH"],
  "402": ["QUOTA", "QUOTA"],
  "404": ["INVALID_REQUEST", "INVALID_REQUEST"],
  "413": ["INVALID_REQUEST", "INVALID_REQUEST"],
  "422": ["INVALID_REQUEST", "INVALID_REQUEST"],
  "429_balance": ["RATE_LIMIT", "RATE_LIMIT"],
  "429_tpm": ["RATE_LIMIT", "RATE_LIMIT"],
  "429_plain": ["RATE_LIMIT", "RATE_LIMIT"],
  "500": ["SERVER", "SERVER"],
  "502_html": ["SERVER", "SERVER"],
  "503": ["OVERLOADED", "OVERLOADED"],
  "503_flat": ["OVERLOADED", "OVERLOADED"],
  "504_html": ["SERVER", "SERVER"],
  status: ["SERVER", "SERVER"],
  retry_after: ["RATE_LIMIT", "RATE_LIMIT"],
  "queue_for;ms=1000": [ALL, ALL],
  "slow_first_token;ms=1000": [ALL, ALL],
  "slow_first_token;ms=30000;keepAlive=true": [ALL, ALL],
  reset_before_headers: ["TRANSPORT", "TRANSPORT"],
  empty_200: ["EMPTY_BODY", "EMPTY_BODY"],
  "blank_then_eof;n=2": ["EMPTY_BODY", "EMPTY_BODY"],
  "keepalive_then_eof;n=2": ["EMPTY_BODY", "EMPTY_BODY"],
  "blank_then_eof;n=48": ["QUEUE_TIMEOUT", "QUEUE_TIMEOUT"],
  "stall_after;tokens=5;ms=1000": [ALL, ALL],
  "truncate_clean;tokens=0": ["EMPTY_BODY", "STREAM_TRUNCATED"],
  "truncate_clean;tokens=15": ["MALFORMED_RESPONSE", { reads: "some", error: "STREAM_TRUNCATED" }],
  "reset_mid_stream;tokens=0": ["TRANSPORT", "TRANSPORT"],
  "reset_mid_stream;tokens=15": ["TRANSPORT", { reads: "some", error: "TRANSPORT" }],
  "garbage_then_eof;tokens=15": ["MALFORMED_RESPONSE", { reads: "some", error: "STREAM_TRUNCATED" }],
  "malformed_event;tokens=0": ["MALFORMED_RESPONSE", "MALFORMED_RESPONSE"],
  "malformed_event;tokens=15": ["MALFORMED_RESPONSE", { reads: "some", error: "MALFORMED_RESPONSE" }],
  "error_event;tokens=0": ["SERVER", "SERVER"],
  "error_event;tokens=15;type=rate_limit_error": ["RATE_LIMIT", { reads: "some", error: "RATE_LIMIT" }],
  "isr;tokens=0": ["UPSTREAM_INTERRUPTED", "UPSTREAM_INTERRUPTED"],
  "isr;tokens=15": ["UPSTREAM_INTERRUPTED", { reads: "some", error: "UPSTREAM_INTERRUPTED" }],
  no_done: [ALL, ALL],
  empty_content: ["EMPTY_RESPONSE", "EMPTY_RESPONSE"],
};

/** Only their caller's patience ends them. */
const ENDLESS = ["queue_forever", "stall_after;tokens=0"];

const ask = (fault: string) =>
  createClient(
    deepseekUpstream({
      apiKey: sim.key,
      baseURL: sim.url,
      headers: { "x-sim-fault": fault },
      queueLimit: "6s",
    }),
  );

async function check(fate: Fate, asked: ReturnType<ReturnType<typeof ask>["outcome"]>): Promise<void> {
  const outcome = await asked;
  if (typeof fate === "string") {
    expect(essence(outcome)).toMatchObject({ code: fate });
    return;
  }
  if (outcome.status !== "answered") throw new Error(JSON.stringify(essence(outcome)));
  const { content } = sim.expectedText(request);
  if (!isStream(outcome.value)) {
    expect(outcome.value.choices[0]?.message.content).toBe(content);
    return;
  }
  const { text, error } = await readAll(outcome.value);
  expect((error as { code?: string } | undefined)?.code).toBe(fate.error);
  expect(content.startsWith(text)).toBe(true);
  expect(text === content).toBe(fate.reads === "all");
}

describe.concurrent.each(Object.keys(FATES))("%s", (fault) => {
  test.each([
    ["JSON", 0],
    ["a stream", 1],
  ] as const)("for a caller of %s", { timeout: 20_000 }, async (_, column) => {
    const client = ask(fault);
    await check(FATES[fault]?.[column] as Fate, client.outcome({ ...request, stream: column === 1 }));
    await client.drain();
    expect(inUse(client).inFlight).toBe(0);
  });
});

test.each(ENDLESS)("%s ends when its caller has had enough", async (fault) => {
  for (const stream of [false, true]) {
    const client = ask(fault);
    const controller = new AbortController();
    const asked = client.outcome({ ...request, stream }, { signal: controller.signal });
    await new Promise<void>((resolve) => {
      const wait = (): void => (sim.state().open > 0 ? resolve() : void setImmediate(wait));
      wait();
    });
    controller.abort("enough");
    expect(await asked).toMatchObject({ status: "cancelled", reason: "enough" });
    await client.drain();
  }
});

test("every fault that there is has its fate", () => {
  const names = new Set([...Object.keys(FATES), ...ENDLESS].map((fault) => fault.split(";")[0]));
  expect(faultNames.filter((name) => !names.has(name))).toEqual([]);
});
