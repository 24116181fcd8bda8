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
type Fate = string | { readonly reads: "all" | "some" | "nothing" | "other"; readonly error?: string };
const ALL: Fate = { reads: "all" };
/** What is in perfect order and all the same not what was asked for: the host's own word. */
const OTHER: Fate = { reads: "other" };
const NOTHING: Fate = { reads: "nothing" };
const SOME: Fate = { reads: "some" };

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
  "slow_headers;ms=1000": [ALL, ALL],
  reset_before_headers: ["TRANSPORT", "TRANSPORT"],
  reset_after_headers: ["TRANSPORT", "TRANSPORT"],
  empty_200: ["EMPTY_BODY", "EMPTY_BODY"],
  "blank_then_eof;n=2": ["EMPTY_BODY", "EMPTY_BODY"],
  "keepalive_then_eof;n=2": ["EMPTY_BODY", "EMPTY_BODY"],
  "blank_then_eof;n=48": ["QUEUE_TIMEOUT", "QUEUE_TIMEOUT"],
  "stall_after;tokens=5;ms=1000": [ALL, ALL],
  "stall_with_keepalive;tokens=5;ms=1000": [ALL, ALL],
  "slow_drip;gapMs=4000": [ALL, ALL],
  "cut_at_ms;ms=20000": ["EMPTY_BODY", { reads: "some", error: "STREAM_TRUNCATED" }],
  "truncate_clean;tokens=0": ["EMPTY_BODY", "STREAM_TRUNCATED"],
  "truncate_clean;tokens=15": ["MALFORMED_RESPONSE", { reads: "some", error: "STREAM_TRUNCATED" }],
  "truncate_chunked;tokens=15": ["TRANSPORT", { reads: "some", error: "TRANSPORT" }],
  truncate_in_tool_call: ["MALFORMED_RESPONSE", { reads: "some", error: "STREAM_TRUNCATED" }],
  "reset_mid_stream;tokens=0": ["TRANSPORT", "TRANSPORT"],
  "reset_mid_stream;tokens=15": ["TRANSPORT", { reads: "some", error: "TRANSPORT" }],
  "reset_mid_chunk;tokens=15": ["TRANSPORT", { reads: "some", error: "TRANSPORT" }],
  "garbage_then_eof;tokens=15": ["MALFORMED_RESPONSE", { reads: "some", error: "STREAM_TRUNCATED" }],
  "malformed_event;tokens=0": ["MALFORMED_RESPONSE", "MALFORMED_RESPONSE"],
  "malformed_event;tokens=15": ["MALFORMED_RESPONSE", { reads: "some", error: "MALFORMED_RESPONSE" }],
  "malformed_json;tokens=15": ["MALFORMED_RESPONSE", { reads: "some", error: "MALFORMED_RESPONSE" }],
  wrong_content_type: ["WRONG_CONTENT_TYPE", "WRONG_CONTENT_TYPE"],
  json_instead_of_sse: [ALL, "WRONG_CONTENT_TYPE"],
  "error_event;tokens=0": ["SERVER", "SERVER"],
  "error_event;tokens=15;type=rate_limit_error": ["RATE_LIMIT", { reads: "some", error: "RATE_LIMIT" }],
  "isr;tokens=0": ["UPSTREAM_INTERRUPTED", "UPSTREAM_INTERRUPTED"],
  "isr;tokens=15": ["UPSTREAM_INTERRUPTED", { reads: "some", error: "UPSTREAM_INTERRUPTED" }],
  "aborted;tokens=15": ["UPSTREAM_INTERRUPTED", { reads: "some", error: "UPSTREAM_INTERRUPTED" }],
  no_done: [ALL, ALL],
  done_no_finish: [ALL, ALL],
  usage_missing: [ALL, ALL],
  model_swap: [ALL, ALL],
  "fragment;bytes=50": [ALL, ALL],
  empty_content: ["EMPTY_RESPONSE", "EMPTY_RESPONSE"],
  reasoning_only: [NOTHING, NOTHING],
  length_no_content: [NOTHING, NOTHING],
  "content_filter;tokens=15": [SOME, SOME],
  "json_whitespace;n=20": [OTHER, OTHER],
  "duplicate_chunk;tokens=10": [ALL, OTHER],
  "reorder;tokens=10": [ALL, OTHER],
  "big_event;tokens=10;bytes=100000": [OTHER, OTHER],
};

/** Only their caller's patience ends them. */
const ENDLESS = ["accept_hang", "queue_forever", "stall_after;tokens=0", "stall_with_keepalive;tokens=0"];

/** They strike more than one request, so each has a host of its own. */
const LASTING = ["refuse;forMs=600000", "reset_idle_socket"];

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
  const { text, error } = isStream(outcome.value)
    ? await readAll(outcome.value)
    : { text: outcome.value.choices[0]?.message.content ?? "", error: undefined };
  expect((error as { code?: string } | undefined)?.code).toBe(fate.error);
  const verdict = { complete: "all", prefix: "some", wrong: "other" }[sim.verifyText(request, text)];
  expect(text === "" ? "nothing" : verdict).toBe(fate.reads);
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

test.each([false, true])(
  "who is refused is told, and so is whoever comes next: streamed %s",
  async (stream) => {
    const host = await startSimulator({ timeScale: SPEED, faults: [{ action: LASTING[0] as string }] });
    const client = createClient(deepseekUpstream({ apiKey: host.key, baseURL: host.url }));
    for (let time = 0; time < 2; time++) {
      expect(essence(await client.outcome({ ...request, stream }))).toMatchObject({ code: "TRANSPORT" });
    }
    expect(host.attempts()).toHaveLength(1);
    await client.drain();
    await host.close();
  },
);

test("a connection that died while it lay idle is a transport failure of the call that finds out", async () => {
  const host = await startSimulator({ timeScale: SPEED, faults: [{ action: LASTING[1] as string }] });
  const client = createClient(deepseekUpstream({ apiKey: host.key, baseURL: host.url }));
  expect(await client.outcome(request)).toMatchObject({ status: "answered" });
  await new Promise((resolve) => setImmediate(resolve)); // the connection lies idle
  expect(essence(await client.outcome(request))).toMatchObject({ code: "TRANSPORT" });
  await client.drain();
  await host.close();
});

test("every fault that there is has its fate", () => {
  const names = new Set([...Object.keys(FATES), ...ENDLESS, ...LASTING].map((fault) => fault.split(";")[0]));
  expect(faultNames.filter((name) => !names.has(name))).toEqual([]);
});
