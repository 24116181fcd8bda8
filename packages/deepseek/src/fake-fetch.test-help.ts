import { type Client, createClient, type Managed, type Outcome, type Policy } from "@breakwater/core";
import { createTestClock, type TestClock } from "@breakwater/testing";

import type { ChatAnswer, ChatChunk, ChatRequest } from "./types.ts";
import type { DeepSeekUpstreamOptions } from "./upstream-options.ts";
import { deepseekUpstream } from "./upstream.ts";

/** One request that a fake fetch was asked for, waiting for the test to answer it. */
interface FakeRequest {
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
  readonly signal: AbortSignal;
  respond(status: number, body?: string | null, headers?: Record<string, string>): void;
  /** 200 with a body that the test writes. */
  stream(type?: string): FakeBody;
  reject(error: unknown): void;
}

interface FakeBody {
  push(data: string | Uint8Array): void;
  end(): void;
  fail(error: unknown): void;
  readonly cancelled: boolean;
}

export interface FakeFetch {
  readonly fetch: typeof fetch;
  next(): Promise<FakeRequest>;
  readonly requests: readonly FakeRequest[];
}

export function fakeFetch(): FakeFetch {
  const requests: FakeRequest[] = [];
  const arrived: FakeRequest[] = [];
  const waiting: ((request: FakeRequest) => void)[] = [];
  return {
    requests,
    next: () => {
      const request = arrived.shift();
      return request === undefined
        ? new Promise((resolve) => waiting.push(resolve))
        : Promise.resolve(request);
    },
    fetch: (input, init = {}) =>
      new Promise<Response>((resolve, reject) => {
        const signal = init.signal ?? new AbortController().signal;
        if (signal.aborted) return reject(signal.reason);
        const request: FakeRequest = {
          url: input instanceof Request ? input.url : input.toString(),
          headers: new Headers(init.headers),
          body: typeof init.body === "string" ? init.body : "",
          signal,
          respond: (status, body = null, headers = { "content-type": "application/json" }) =>
            resolve(new Response(body, { status, headers })),
          reject,
          stream(type = "text/event-stream; charset=utf-8") {
            const made = fakeBody(signal);
            resolve(
              new Response(made.body, {
                status: 200,
                headers: { "content-type": type, "x-ds-trace-id": "trace-1" },
              }),
            );
            return made;
          },
        };
        signal.addEventListener("abort", () => reject(signal.reason));
        requests.push(request);
        const taker = waiting.shift();
        if (taker === undefined) arrived.push(request);
        else taker(request);
      }),
  };
}

function fakeBody(signal: AbortSignal): FakeBody & { readonly body: ReadableStream<Uint8Array> } {
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let cancelled = false;
  let aborted = false;
  const body = new ReadableStream<Uint8Array>({
    start: (made) => void (controller = made),
    cancel: () => void (cancelled = true),
  });
  signal.addEventListener("abort", () => {
    if (!cancelled && !aborted) controller?.error(signal.reason);
    aborted = true;
  });
  const unlessCancelled = (f: () => void): void => {
    if (!cancelled && !aborted) f();
  };
  return {
    body,
    push: (data) =>
      unlessCancelled(() => controller?.enqueue(typeof data === "string" ? encoder.encode(data) : data)),
    end: () => unlessCancelled(() => controller?.close()),
    fail: (error) => unlessCancelled(() => controller?.error(error)),
    get cancelled() {
      return cancelled;
    },
  };
}

export interface Bench extends FakeFetch {
  readonly clock: TestClock;
  readonly ask: Client<ChatRequest, ChatAnswer>;
  readonly hints: string[];
  outcome(request?: Partial<ChatRequest>, signal?: AbortSignal): Promise<Outcome<ChatAnswer>>;
}

/** A client over a fake fetch and a test clock. */
export function bench(options: DeepSeekUpstreamOptions = {}, ...policies: readonly Policy[]): Bench {
  const fake = fakeFetch();
  const clock = createTestClock();
  const upstream = deepseekUpstream({
    apiKey: "sk-0123456789abcdef",
    baseURL: "http://host.test",
    fetch: fake.fetch,
    ...options,
  });
  const ask = createClient({ upstream, runtime: clock }, ...policies);
  const hints: string[] = [];
  ask.on((event) => {
    if (event.type === "hint") hints.push(event.message);
  });
  return {
    ...fake,
    clock,
    ask,
    hints,
    outcome: async (request = {}, signal) =>
      ask.outcome({ messages: [{ role: "user", content: "Hi" }], ...request }, { signal }),
  };
}

export const STREAM = { stream: true } as const;

const chunk = (
  { finish_reason, ...choice }: Record<string, unknown>,
  more: Record<string, unknown> = {},
): string =>
  `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "deepseek-flash", choices: [{ index: 0, ...choice, logprobs: null, finish_reason }], ...more })}\n\n`;

/** Pieces of streamed answers, as DeepSeek writes them. */
export const sse = {
  role: chunk({ delta: { role: "assistant", content: "" }, finish_reason: null }),
  text: (content: string) => chunk({ delta: { content }, finish_reason: null }),
  thought: (reasoning_content: string) =>
    chunk({ delta: { content: null, reasoning_content }, finish_reason: null }),
  finish: (
    reason = "stop",
    usage: Record<string, unknown> = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  ) => chunk({ delta: { content: "" }, finish_reason: reason }, { usage }),
  usage: `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "m", choices: [], usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } })}\n\n`,
  error: (error: Record<string, unknown>) => `data: ${JSON.stringify({ error })}\n\n`,
  keepAlive: ": keep-alive\n\n",
  done: "data: [DONE]\n\n",
};

export const completion = (
  message: Record<string, unknown> = { content: "Hello" },
  finish_reason: string | null = "stop",
): string =>
  JSON.stringify({
    id: "c1",
    object: "chat.completion",
    created: 1,
    model: "deepseek-flash",
    choices: [{ index: 0, message: { role: "assistant", ...message }, logprobs: null, finish_reason }],
    usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, prompt_cache_hit_tokens: 2 },
  });

export interface ReadStream {
  readonly text: string;
  readonly chunks: readonly ChatChunk[];
  readonly error: unknown;
}

/** Reads a stream to its end, or to its error. */
export async function readAll(stream: unknown): Promise<ReadStream> {
  const chunks: ChatChunk[] = [];
  let error: unknown;
  try {
    for await (const one of stream as AsyncIterable<ChatChunk>) chunks.push(one);
  } catch (thrown) {
    error = thrown;
  }
  return { text: chunks.map((one) => one.choices[0]?.delta.content ?? "").join(""), chunks, error };
}

/** The parts of an outcome that tests compare. */
export function essence(outcome: Outcome<unknown>): Record<string, unknown> {
  if (outcome.status !== "failed") return { status: outcome.status };
  const { error, fault, retryable, scope, retryAfterMs, limit } = outcome;
  const { code, status } = error as { readonly code?: string; readonly status?: number };
  const known = { code, status, fault, retryable, scope, retryAfterMs, limit };
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
}

/** Calls in flight, and permits that bulkheads have given out. */
export function inUse(client: Managed): { readonly inFlight: number; readonly permits: number } {
  const { inFlight, policies } = client.snapshot();
  let permits = 0;
  for (const { kind, state } of policies) {
    if (kind !== "bulkhead" && kind !== "adaptive") continue;
    for (const count of Object.values((state as { readonly active: Record<string, number> }).active))
      permits += count;
  }
  return { inFlight, permits };
}
